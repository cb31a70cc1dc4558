-- One row a notification: who was told what about a remediation, over which channel, and what became of it.

CREATE TABLE notification_audit (
    id               bigserial    PRIMARY KEY,
    remediation_id   varchar(255) NOT NULL,
    notification_id  varchar(255) NOT NULL CONSTRAINT notification_audit_notification_id_key UNIQUE,
    recipient        varchar(255) NOT NULL,
    channel          varchar(50)  NOT NULL
        CONSTRAINT notification_audit_channel_check CHECK (channel IN ('email', 'slack', 'pagerduty', 'sms')),
    message_summary  text         NOT NULL,
    status           varchar(50)  NOT NULL
        CONSTRAINT notification_audit_status_check CHECK (status IN ('sent', 'failed', 'acknowledged', 'escalated')),
    sent_at          timestamptz  NOT NULL,
    delivery_status  varchar(255),
    error_message    text,
    escalation_level integer      NOT NULL DEFAULT 0
        CONSTRAINT notification_audit_escalation_level_check CHECK (escalation_level BETWEEN 0 AND 100),
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now()
);

CREATE INDEX notification_audit_remediation_id_idx ON notification_audit (remediation_id);
CREATE INDEX notification_audit_sent_at_idx ON notification_audit (sent_at DESC);

CREATE TRIGGER notification_audit_set_updated_at BEFORE UPDATE ON notification_audit
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();
