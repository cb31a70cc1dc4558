-- One row a remediation: what was done to which resource, how it went, and a vector of its text for semantic search.
-- NULL is allowed only where the fact may not exist: a remediation that runs has no end, no duration and no error,
-- and a record may come without a vector.

CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;

CREATE TABLE remediation_audit (
    id                     bigserial    PRIMARY KEY,
    name                   varchar(255) NOT NULL,
    namespace              varchar(255) NOT NULL,
    phase                  varchar(50)  NOT NULL
        CONSTRAINT remediation_audit_phase_check CHECK (phase IN ('pending', 'processing', 'completed', 'failed')),
    action_type            varchar(100) NOT NULL,
    status                 varchar(50)  NOT NULL,
    start_time             timestamptz  NOT NULL,
    end_time               timestamptz,
    duration               bigint,      -- milliseconds
    remediation_request_id varchar(255) NOT NULL CONSTRAINT remediation_audit_remediation_request_id_key UNIQUE,
    signal_fingerprint     varchar(255) NOT NULL,
    severity               varchar(50)  NOT NULL,
    environment            varchar(50)  NOT NULL,
    cluster_name           varchar(255) NOT NULL,
    target_resource        varchar(512) NOT NULL,
    error_message          text,
    metadata               jsonb        NOT NULL DEFAULT '{}',
    embedding              vector(384),
    created_at             timestamptz  NOT NULL DEFAULT now(),
    updated_at             timestamptz  NOT NULL DEFAULT now()
);

CREATE INDEX remediation_audit_namespace_idx ON remediation_audit (namespace);
CREATE INDEX remediation_audit_status_idx ON remediation_audit (status);
CREATE INDEX remediation_audit_phase_idx ON remediation_audit (phase);
CREATE INDEX remediation_audit_start_time_idx ON remediation_audit (start_time DESC);
CREATE INDEX remediation_audit_signal_fingerprint_idx ON remediation_audit (signal_fingerprint);
CREATE INDEX remediation_audit_embedding_idx ON remediation_audit
    USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64);

CREATE TRIGGER remediation_audit_set_updated_at BEFORE UPDATE ON remediation_audit
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();
