-- Sessions that can be renewed and ended, scopes, identities of elsewhere, and who changed what.

-- A sign-in. Its refresh token is made of the id and the generation, and is not stored.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL DEFAULT 1,
    refreshed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason TEXT CHECK (end_reason IN ('LOGOUT', 'REUSE')),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- NULL: everything that the user may do.
ALTER TABLE access_tokens ADD COLUMN scopes JSON;

-- Issuer and subject of a user whose identity another server proves.
ALTER TABLE users ADD COLUMN identity TEXT;
CREATE UNIQUE INDEX users_by_identity ON users (identity) WHERE identity IS NOT NULL;

-- Failed sign-ins since window_at, by account and address; keys are digests.
CREATE TABLE login_failures (
    key TEXT PRIMARY KEY,
    count BIGINT NOT NULL,
    window_at BIGINT NOT NULL
);

CREATE INDEX login_failures_by_window ON login_failures (window_at);

-- Changes of secrets, triggers and access. Rows are only ever added.
CREATE TABLE audit_log (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    actor_id TEXT,
    token_id TEXT,
    action TEXT NOT NULL,
    object_id TEXT NOT NULL,
    details JSON NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX audit_log_by_workspace ON audit_log (workspace_id, created_at, id);
