-- What was done to a resource and how it went, a partition a month. The API calls them incidents.

CREATE TABLE resource_action_traces (
    id                   bigserial    NOT NULL,
    action_id            varchar(64)  NOT NULL,
    correlation_id       varchar(255) NOT NULL,
    action_timestamp     timestamptz  NOT NULL,
    namespace            varchar(253) NOT NULL,
    cluster_name         varchar(255) NOT NULL,
    environment          varchar(50)  NOT NULL,
    signal_name          varchar(200) NOT NULL,
    signal_severity      varchar(50)  NOT NULL,
    signal_fingerprint   varchar(255) NOT NULL,
    action_type          varchar(50)  NOT NULL,
    execution_status     varchar(50)  NOT NULL
        CONSTRAINT resource_action_traces_execution_status_check
        CHECK (execution_status IN ('pending', 'executing', 'completed', 'failed', 'rolled-back')),
    execution_error      text,
    incident_type        varchar(100),
    playbook_id          varchar(64),
    playbook_version     varchar(20)
        CONSTRAINT resource_action_traces_playbook_version_check
        CHECK (playbook_version IS NULL OR playbook_id IS NOT NULL),
    ai_selected          boolean      NOT NULL DEFAULT false,
    ai_chained           boolean      NOT NULL DEFAULT false,
    ai_manual_escalation boolean      NOT NULL DEFAULT false,
    model_confidence     numeric(4,3)
        CONSTRAINT resource_action_traces_model_confidence_check CHECK (model_confidence BETWEEN 0 AND 1),
    labels               jsonb        NOT NULL DEFAULT '{}',
    embedding            vector(384),
    CONSTRAINT resource_action_traces_pkey PRIMARY KEY (id, action_timestamp),
    -- A unique key has to contain the partition's: an action is told apart by its id and its time.
    CONSTRAINT resource_action_traces_action_id_key UNIQUE (action_id, action_timestamp)
) PARTITION BY RANGE (action_timestamp);

CREATE INDEX resource_action_traces_action_timestamp_idx ON resource_action_traces (action_timestamp DESC);
CREATE INDEX resource_action_traces_embedding_idx ON resource_action_traces
    USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64);

-- The success rates read nothing but finished actions, of one incident type or one playbook, in a span of time.
CREATE INDEX resource_action_traces_incident_type_idx ON resource_action_traces (incident_type, action_timestamp)
    WHERE incident_type IS NOT NULL AND execution_status IN ('completed', 'failed');
CREATE INDEX resource_action_traces_playbook_idx
    ON resource_action_traces (playbook_id, playbook_version, action_timestamp)
    WHERE playbook_id IS NOT NULL AND execution_status IN ('completed', 'failed');

CREATE TABLE resource_action_traces_default PARTITION OF resource_action_traces DEFAULT;
