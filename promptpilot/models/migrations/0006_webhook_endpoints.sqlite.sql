-- Addresses that are told about executions, what they are told, and how each try went.

-- starts_since is NULL unless it is told of starts; the index lets the first claim of an execution
-- find out at once that nobody wants to know.
CREATE TABLE webhook_endpoints (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    description TEXT,
    is_active INTEGER NOT NULL,
    event_types TEXT NOT NULL,
    workflow_ids TEXT NOT NULL,
    secret_sealed TEXT NOT NULL,
    secret_preview TEXT NOT NULL,
    starts_since INTEGER,
    failing_since INTEGER,
    disabled_reason TEXT CHECK (disabled_reason IN ('GONE', 'FAILING')),
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK (disabled_reason IS NULL OR NOT is_active),
    CHECK (starts_since IS NULL OR is_active)
) STRICT;
CREATE INDEX webhook_endpoints_by_workspace ON webhook_endpoints (workspace_id, created_at, id);
CREATE INDEX webhook_endpoints_told_of_starts ON webhook_endpoints (workspace_id)
    WHERE starts_since IS NOT NULL;

-- The id is the webhook-id. A delivery outlives its endpoint and its execution.
-- ready_at: when it is due, or when the lease of its sender ends; NULL when it is done, and while
-- its endpoint is switched off.
CREATE TABLE webhook_deliveries (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    endpoint_id TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    event_seq INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED')),
    body TEXT NOT NULL,
    error TEXT,
    attempt_count INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    generation INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    ready_at INTEGER,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    UNIQUE (endpoint_id, execution_id, event_seq),
    CHECK ((status = 'PENDING') = (finished_at IS NULL)),
    CHECK (status = 'PENDING' OR (ready_at IS NULL AND owner IS NULL)),
    CHECK ((status = 'FAILED') = (error IS NOT NULL)),
    CHECK (owner IS NULL OR ready_at IS NOT NULL)
) STRICT;
CREATE INDEX webhook_deliveries_ready ON webhook_deliveries (ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_turn ON webhook_deliveries (endpoint_id, ready_at)
    WHERE ready_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_workspace ON webhook_deliveries (workspace_id, created_at, id);
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, created_at, id);

CREATE TABLE webhook_delivery_attempts (
    delivery_id TEXT NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    response_status INTEGER,
    response_body TEXT,
    error TEXT,
    PRIMARY KEY (delivery_id, number)
) STRICT;
