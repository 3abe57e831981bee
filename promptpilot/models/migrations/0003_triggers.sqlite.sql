-- Schedules, keys, platform events, and what is to be told of executions.

-- Keys of API triggers are stored as digests alone.
ALTER TABLE triggers ADD COLUMN secret_sha256 TEXT;
ALTER TABLE triggers ADD COLUMN previous_secret_sha256 TEXT;
CREATE INDEX triggers_listening ON triggers (workspace_id) WHERE type = 'EVENT';

-- Instants that wait for an earlier execution of their trigger to end.
CREATE INDEX firings_queued ON firings (trigger_id, scheduled_for) WHERE outcome = 'QUEUED';

-- How many events lie between an execution and what first started it all.
ALTER TABLE executions ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
-- Since when something of it (its end, a question) is to be told to triggers; up to which event it was.
ALTER TABLE executions ADD COLUMN news_at INTEGER;
ALTER TABLE executions ADD COLUMN told_seq INTEGER NOT NULL DEFAULT 0;
CREATE INDEX executions_with_news ON executions (news_at) WHERE news_at IS NOT NULL;
CREATE INDEX executions_open_by_trigger ON executions (trigger_id)
    WHERE trigger_id IS NOT NULL AND finished_at IS NULL;

-- What happened, inside or outside, as EVENT triggers are told of it. Stored before anybody is told.
CREATE TABLE platform_events (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    payload TEXT NOT NULL,
    workflow_id TEXT,
    dedupe_key TEXT,
    request_sha256 TEXT NOT NULL,
    depth INTEGER NOT NULL DEFAULT 0,
    actor_id TEXT,
    created_at INTEGER NOT NULL,
    dispatched_at INTEGER
) STRICT;
CREATE UNIQUE INDEX platform_events_once ON platform_events (workspace_id, dedupe_key)
    WHERE dedupe_key IS NOT NULL;
CREATE INDEX platform_events_undispatched ON platform_events (created_at)
    WHERE dispatched_at IS NULL;
