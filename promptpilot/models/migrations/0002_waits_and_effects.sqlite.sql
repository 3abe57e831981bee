-- Waits, control, secrets of steps and values kept aside.

-- Where a PAUSED execution goes on: its wait, or none, which means at once.
ALTER TABLE executions ADD COLUMN paused_wait_reason TEXT
    CHECK (paused_wait_reason IN ('DELAY', 'DECISION', 'RETRY'));
ALTER TABLE executions ADD COLUMN paused_ready_at INTEGER;
ALTER TABLE executions ADD COLUMN output_bytes INTEGER;
-- What is asked of running executions, for their worker to see within a second.
CREATE INDEX executions_asked ON executions (owner)
    WHERE status = 'RUNNING' AND (cancel_requested_at IS NOT NULL OR pause_requested_at IS NOT NULL);
CREATE INDEX executions_undecided ON executions (workspace_id, created_at, id)
    WHERE wait_reason = 'DECISION';

-- Set when the output is kept aside: its size; `output` is a preview then.
ALTER TABLE step_executions ADD COLUMN output_bytes INTEGER;

-- Outputs of more than 64 KiB; the path of an execution's own output is '$'.
CREATE TABLE large_outputs (
    execution_id TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (execution_id, path)
) STRICT;

CREATE INDEX dead_letters_open ON dead_letters (workspace_id, created_at, id)
    WHERE status = 'OPEN';

ALTER TABLE workflows ADD COLUMN execution_timeout_seconds INTEGER
    CHECK (execution_timeout_seconds >= 1);
ALTER TABLE workflow_steps ADD COLUMN on_unknown_outcome TEXT NOT NULL DEFAULT 'RETRY'
    CHECK (on_unknown_outcome IN ('RETRY', 'FAIL'));

-- Secret headers of WEBHOOK steps. Versions never change and name them by id, so that a key can be
-- rotated without touching a version.
CREATE TABLE step_secrets (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    secret_sealed TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- What signs the requests of a workspace's WEBHOOK steps.
CREATE TABLE signing_secrets (
    workspace_id TEXT PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE,
    secret_sealed TEXT NOT NULL,
    secret_preview TEXT NOT NULL,
    previous_secret_sealed TEXT,
    previous_secret_until INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
