-- Every service's events, a partition a month, append-only: what happened is never changed. Old months go by dropping
-- their partition, which only the owner can.

CREATE TABLE audit_events (
    event_id        uuid         NOT NULL,
    version         varchar(20)  NOT NULL DEFAULT '1.0',
    event_type      varchar(100) NOT NULL,
    event_category  varchar(50)  NOT NULL
        CONSTRAINT audit_events_event_category_check CHECK (event_category IN
            ('gateway', 'notification', 'analysis', 'signalprocessing', 'workflow', 'execution', 'orchestration')),
    event_action    varchar(50)  NOT NULL,
    event_outcome   varchar(20)  NOT NULL
        CONSTRAINT audit_events_event_outcome_check CHECK (event_outcome IN ('success', 'failure', 'pending')),
    event_timestamp timestamptz  NOT NULL,
    correlation_id  varchar(255) NOT NULL,
    actor_type      varchar(50)  NOT NULL,
    actor_id        varchar(255) NOT NULL,
    resource_type   varchar(100) NOT NULL,
    resource_id     varchar(255) NOT NULL,
    parent_event_id uuid,
    namespace       varchar(253),
    cluster_name    varchar(255),
    severity        varchar(50),
    duration_ms     bigint,
    event_data      jsonb        NOT NULL DEFAULT '{}',
    -- A primary key has to contain the partition's; writers look for the event_id alone.
    CONSTRAINT audit_events_pkey PRIMARY KEY (event_id, event_timestamp)
) PARTITION BY RANGE (event_timestamp);

CREATE INDEX audit_events_event_timestamp_idx ON audit_events (event_timestamp DESC);
CREATE INDEX audit_events_correlation_id_idx ON audit_events (correlation_id, event_timestamp DESC);
CREATE INDEX audit_events_event_data_idx ON audit_events USING gin (event_data);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END;
$$;

-- Also for the owner, whom no REVOKE binds. Row triggers are inherited by every partition.
CREATE TRIGGER audit_events_refuse_change BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_events_refuse_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;

-- The application's role reads and appends; nothing in this schema is changed or deleted by it. Which role that is, is
-- the operator's to say: roles belong to the whole server, so no migration makes one.
CREATE FUNCTION grant_application(role name) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
    EXECUTE format('GRANT SELECT, INSERT ON remediation_audit, notification_audit, resource_action_traces,'
                   ' audit_events TO %I', role);
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I', current_schema(), role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION ensure_partitions(integer, timestamptz) TO %I', role);
END;
$$;

-- Few, as every fresh schema of a test pays for them; the service goes on from here.
SELECT ensure_partitions(1);
