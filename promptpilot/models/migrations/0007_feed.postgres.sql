-- Changes of status of all executions of a workspace, in an order that a reader can trust.

-- The transaction that told of it, or a later one that told of the same execution before. Rows
-- below the oldest transaction that still writes are complete: none can come between them.
CREATE TABLE execution_feed (
    workspace_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    execution_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, position, execution_id, seq)
);

-- Position of the newest entry: a transaction that began earlier may commit later.
ALTER TABLE executions ADD COLUMN feed_position BIGINT;
