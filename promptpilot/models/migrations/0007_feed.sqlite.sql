-- Changes of status of all executions of a workspace, in an order that a reader can trust.

-- Writers take turns, so rows are numbered in the order of their commits; no number comes again.
CREATE TABLE execution_feed (
    workspace_id TEXT NOT NULL,
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_id TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX execution_feed_by_workspace
    ON execution_feed (workspace_id, position, execution_id, seq);

-- Of use on PostgreSQL, where a transaction that began earlier may commit later.
ALTER TABLE executions ADD COLUMN feed_position INTEGER;
