-- The first schema. Instants are epoch milliseconds. JSON keeps the order of keys, so that a prompt
-- rendered from stored values is the same text before and after a crash.
-- The tables of an execution (executions and below) have no foreign keys: they are written by the
-- ledger alone, thousands of times a second, and outlive the workflow and trigger they came from.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    name TEXT,
    role TEXT NOT NULL CHECK (role IN ('USER', 'ADMIN')),
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    owner_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_personal INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX workspaces_one_personal_per_user ON workspaces (owner_id) WHERE is_personal;

CREATE TABLE access_tokens (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    preview TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX access_tokens_by_user ON access_tokens (user_id, created_at);

CREATE TABLE prompts (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    current_version_id TEXT,
    metadata TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;

CREATE TABLE prompt_versions (
    id TEXT PRIMARY KEY,
    prompt_id TEXT NOT NULL REFERENCES prompts (id) ON DELETE CASCADE,
    major INTEGER NOT NULL,
    minor INTEGER NOT NULL,
    patch INTEGER NOT NULL,
    content TEXT NOT NULL,
    variables TEXT NOT NULL,
    change_type TEXT NOT NULL CHECK (change_type IN ('PATCH', 'MINOR', 'MAJOR')),
    commit_message TEXT,
    parent_id TEXT,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (prompt_id, major, minor, patch)
) STRICT;

CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    secret_sealed TEXT NOT NULL,
    secret_preview TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    base_url TEXT,
    status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'EXPIRING', 'REJECTED', 'REVOKED')),
    metadata TEXT NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    last_rotated_at INTEGER,
    revoked_at INTEGER,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (workspace_id, provider, label)
) STRICT;

CREATE TABLE workflows (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    is_active INTEGER NOT NULL,
    tags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    current_version_id TEXT NOT NULL,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX workflows_by_creation ON workflows (workspace_id, created_at, id);
CREATE INDEX workflows_by_update ON workflows (workspace_id, updated_at, id);
CREATE INDEX workflows_by_name ON workflows (workspace_id, name, id);

CREATE TABLE workflow_steps (
    id TEXT PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0),
    name TEXT NOT NULL,
    type TEXT NOT NULL
        CHECK (type IN ('PROMPT', 'CONDITION', 'TRANSFORM', 'DELAY', 'WEBHOOK', 'DECISION')),
    config TEXT NOT NULL,
    inputs TEXT NOT NULL,
    outputs TEXT NOT NULL,
    run_if TEXT,
    retry TEXT NOT NULL,
    timeout_seconds INTEGER,
    continue_on_error INTEGER NOT NULL,
    UNIQUE (workflow_id, position),
    UNIQUE (workflow_id, name)
) STRICT;

CREATE TABLE workflow_variables (
    id TEXT PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0),
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('INPUT', 'OUTPUT', 'INTERMEDIATE')),
    data_type TEXT NOT NULL
        CHECK (data_type IN ('STRING', 'NUMBER', 'BOOLEAN', 'ARRAY', 'OBJECT')),
    description TEXT,
    is_required INTEGER NOT NULL,
    default_value TEXT,
    validation TEXT,
    UNIQUE (workflow_id, name)
) STRICT;

-- Insert-only. No foreign key: a version outlives its workflow as long as executions pin it.
CREATE TABLE workflow_versions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    workflow_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    definition TEXT NOT NULL,
    definition_hash TEXT NOT NULL,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (workflow_id, number)
) STRICT;

CREATE TABLE triggers (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('MANUAL', 'SCHEDULED', 'WEBHOOK', 'API', 'EVENT')),
    is_active INTEGER NOT NULL,
    config TEXT NOT NULL,
    input TEXT NOT NULL,
    secret_sealed TEXT,
    secret_preview TEXT,
    previous_secret_sealed TEXT,
    previous_secret_until INTEGER,
    paused_reason TEXT,
    next_run_at INTEGER,
    last_scheduled_for INTEGER,
    consecutive_failures INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX triggers_by_workflow ON triggers (workflow_id, created_at);
CREATE INDEX triggers_due ON triggers (next_run_at) WHERE next_run_at IS NOT NULL;

-- One row whenever a trigger fired, was called or was due, whatever came of it.
CREATE TABLE firings (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    trigger_type TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('STARTED', 'DUPLICATE', 'SKIPPED_OVERLAP', 'QUEUED',
        'MISSED', 'FILTERED', 'REJECTED', 'INACTIVE')),
    scheduled_for INTEGER,
    dedupe_key TEXT,
    body_sha256 TEXT,
    scheme TEXT,
    is_verified INTEGER,
    failure_code TEXT,
    used_previous_secret INTEGER,
    error TEXT,
    payload TEXT,
    source_ip TEXT,
    actor_id TEXT,
    execution_id TEXT,
    created_at INTEGER NOT NULL,
    CHECK (outcome <> 'STARTED' OR execution_id IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX firings_once_per_message ON firings (trigger_id, dedupe_key)
    WHERE outcome IN ('STARTED', 'QUEUED');
CREATE UNIQUE INDEX firings_once_per_instant ON firings (trigger_id, scheduled_for)
    WHERE outcome <> 'DUPLICATE' AND scheduled_for IS NOT NULL;
CREATE INDEX firings_by_trigger ON firings (trigger_id, created_at, id);

CREATE TABLE executions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    workflow_version_id TEXT NOT NULL,
    workflow_revision INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'RUNNING', 'WAITING', 'PAUSED', 'COMPLETED',
        'FAILED', 'CANCELLED')),
    wait_reason TEXT CHECK (wait_reason IN ('DELAY', 'DECISION', 'RETRY', 'HANDOVER')),
    ready_at INTEGER,
    fence INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    crashes INTEGER NOT NULL DEFAULT 0,
    recovery_count INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL DEFAULT 0,
    current_path TEXT,
    current_attempt INTEGER NOT NULL DEFAULT 0,
    step_started_at INTEGER,
    attempt_started_at INTEGER,
    last_seq INTEGER NOT NULL DEFAULT 0,
    dispatched_at INTEGER NOT NULL DEFAULT 0,
    cancel_requested_at INTEGER,
    cancel_reason TEXT,
    pause_requested_at INTEGER,
    deadline_at INTEGER,
    priority INTEGER NOT NULL DEFAULT 0,
    trigger_type TEXT NOT NULL,
    trigger_id TEXT,
    firing_id TEXT,
    trigger_data TEXT,
    started_by TEXT,
    idempotency_key TEXT,
    retry_of_id TEXT,
    input TEXT NOT NULL,
    output TEXT,
    error TEXT,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    cost_micros INTEGER NOT NULL DEFAULT 0,
    has_unknown_cost INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    CHECK ((status IN ('COMPLETED', 'FAILED', 'CANCELLED')) = (finished_at IS NOT NULL)),
    CHECK (finished_at IS NULL OR (ready_at IS NULL AND owner IS NULL AND current_path IS NULL)),
    CHECK (status <> 'RUNNING' OR (owner IS NOT NULL AND ready_at IS NOT NULL)),
    CHECK (status = 'RUNNING' OR owner IS NULL),
    CHECK ((status = 'WAITING') = (wait_reason IS NOT NULL)),
    CHECK (status <> 'PENDING' OR ready_at IS NOT NULL),
    CHECK (status <> 'PAUSED' OR ready_at IS NULL),
    CHECK (status <> 'COMPLETED' OR output IS NOT NULL),
    CHECK (status <> 'FAILED' OR error IS NOT NULL)
) STRICT;
-- Claiming and sweeping read nothing but what is due.
CREATE INDEX executions_ready ON executions (ready_at)
    WHERE status IN ('PENDING', 'RUNNING', 'WAITING');
CREATE INDEX executions_by_workspace ON executions (workspace_id, created_at, id);
CREATE INDEX executions_by_workflow ON executions (workflow_id, created_at, id);
CREATE INDEX executions_by_trigger ON executions (trigger_id, created_at, id)
    WHERE trigger_id IS NOT NULL;

-- A row is made when a step ends (or waits); that a step runs is on its execution's row.
CREATE TABLE step_executions (
    execution_id TEXT NOT NULL,
    path TEXT NOT NULL,
    position INTEGER NOT NULL,
    step_id TEXT NOT NULL,
    step_name TEXT NOT NULL,
    step_type TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('WAITING', 'COMPLETED', 'FAILED', 'SKIPPED', 'CANCELLED')),
    skip_reason TEXT,
    attempt INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    started_at INTEGER,
    attempt_started_at INTEGER,
    finished_at INTEGER,
    wake_at INTEGER,
    input TEXT,
    output TEXT,
    error TEXT,
    model_calls TEXT,
    reused_from TEXT,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    cost_micros INTEGER,
    PRIMARY KEY (execution_id, path),
    CHECK ((status = 'WAITING') = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;

-- Attempts that ended without ending their step: failed with another to come, or lost.
CREATE TABLE step_attempts (
    execution_id TEXT NOT NULL,
    path TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    fence INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('FAILED', 'CANCELLED')),
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    error TEXT,
    next_attempt_at INTEGER,
    model_calls TEXT,
    PRIMARY KEY (execution_id, path, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE execution_events (
    execution_id TEXT NOT NULL,
    seq INTEGER NOT NULL CHECK (seq >= 1),
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    path TEXT,
    attempt INTEGER,
    from_status TEXT,
    to_status TEXT,
    data TEXT,
    PRIMARY KEY (execution_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    execution_id TEXT NOT NULL,
    path TEXT NOT NULL,
    choice TEXT NOT NULL,
    comment TEXT,
    actor_id TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (execution_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    workspace_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    result_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, operation, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE dead_letters (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    execution_id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('OPEN', 'REPLAYED', 'DISCARDED')),
    error TEXT NOT NULL,
    error_code TEXT NOT NULL,
    replay_execution_id TEXT,
    resolved_by TEXT,
    created_at INTEGER NOT NULL,
    resolved_at INTEGER,
    CHECK ((status = 'OPEN') = (resolved_at IS NULL))
) STRICT;
CREATE INDEX dead_letters_by_workspace ON dead_letters (workspace_id, created_at, id);
