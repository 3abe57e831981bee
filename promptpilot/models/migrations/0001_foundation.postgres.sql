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
    created_at BIGINT NOT NULL
);

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    owner_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_personal BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX workspaces_one_personal_per_user ON workspaces (owner_id) WHERE is_personal;

CREATE TABLE access_tokens (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    preview TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX access_tokens_by_user ON access_tokens (user_id, created_at);

CREATE TABLE prompts (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    current_version_id TEXT,
    metadata JSON NOT NULL,
    revision BIGINT NOT NULL CHECK (revision >= 1),
    created_by TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (workspace_id, name)
);

CREATE TABLE prompt_versions (
    id TEXT PRIMARY KEY,
    prompt_id TEXT NOT NULL REFERENCES prompts (id) ON DELETE CASCADE,
    major BIGINT NOT NULL,
    minor BIGINT NOT NULL,
    patch BIGINT NOT NULL,
    content TEXT NOT NULL,
    variables JSON NOT NULL,
    change_type TEXT NOT NULL CHECK (change_type IN ('PATCH', 'MINOR', 'MAJOR')),
    commit_message TEXT,
    parent_id TEXT,
    created_by TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (prompt_id, major, minor, patch)
);

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
    metadata JSON NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    last_rotated_at BIGINT,
    revoked_at BIGINT,
    created_by TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (workspace_id, provider, label)
);

CREATE TABLE workflows (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    is_active BOOLEAN NOT NULL,
    tags JSON NOT NULL,
    metadata JSON NOT NULL,
    revision BIGINT NOT NULL CHECK (revision >= 1),
    current_version_id TEXT NOT NULL,
    created_by TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX workflows_by_creation ON workflows (workspace_id, created_at, id);
CREATE INDEX workflows_by_update ON workflows (workspace_id, updated_at, id);
CREATE INDEX workflows_by_name ON workflows (workspace_id, name, id);

CREATE TABLE workflow_steps (
    id TEXT PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    position BIGINT NOT NULL CHECK (position >= 0),
    name TEXT NOT NULL,
    type TEXT NOT NULL
        CHECK (type IN ('PROMPT', 'CONDITION', 'TRANSFORM', 'DELAY', 'WEBHOOK', 'DECISION')),
    config JSON NOT NULL,
    inputs JSON NOT NULL,
    outputs JSON NOT NULL,
    run_if TEXT,
    retry JSON NOT NULL,
    timeout_seconds BIGINT,
    continue_on_error BOOLEAN NOT NULL,
    UNIQUE (workflow_id, position),
    UNIQUE (workflow_id, name)
);

CREATE TABLE workflow_variables (
    id TEXT PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    position BIGINT NOT NULL CHECK (position >= 0),
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('INPUT', 'OUTPUT', 'INTERMEDIATE')),
    data_type TEXT NOT NULL
        CHECK (data_type IN ('STRING', 'NUMBER', 'BOOLEAN', 'ARRAY', 'OBJECT')),
    description TEXT,
    is_required BOOLEAN NOT NULL,
    default_value JSON,
    validation JSON,
    UNIQUE (workflow_id, name)
);

-- Insert-only. No foreign key: a version outlives its workflow as long as executions pin it.
CREATE TABLE workflow_versions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    workflow_id TEXT NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    definition JSON NOT NULL,
    definition_hash TEXT NOT NULL,
    created_by TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (workflow_id, number)
);

CREATE TABLE triggers (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('MANUAL', 'SCHEDULED', 'WEBHOOK', 'API', 'EVENT')),
    is_active BOOLEAN NOT NULL,
    config JSON NOT NULL,
    input JSON NOT NULL,
    secret_sealed TEXT,
    secret_preview TEXT,
    previous_secret_sealed TEXT,
    previous_secret_until BIGINT,
    paused_reason TEXT,
    next_run_at BIGINT,
    last_scheduled_for BIGINT,
    consecutive_failures BIGINT NOT NULL DEFAULT 0,
    revision BIGINT NOT NULL CHECK (revision >= 1),
    created_by TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
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
    scheduled_for BIGINT,
    dedupe_key TEXT,
    body_sha256 TEXT,
    scheme TEXT,
    is_verified BOOLEAN,
    failure_code TEXT,
    used_previous_secret BOOLEAN,
    error JSON,
    payload JSON,
    source_ip TEXT,
    actor_id TEXT,
    execution_id TEXT,
    created_at BIGINT NOT NULL,
    CHECK (outcome <> 'STARTED' OR execution_id IS NOT NULL)
);
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
    workflow_revision BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'RUNNING', 'WAITING', 'PAUSED', 'COMPLETED',
        'FAILED', 'CANCELLED')),
    wait_reason TEXT CHECK (wait_reason IN ('DELAY', 'DECISION', 'RETRY', 'HANDOVER')),
    ready_at BIGINT,
    fence BIGINT NOT NULL DEFAULT 0,
    owner TEXT,
    crashes BIGINT NOT NULL DEFAULT 0,
    recovery_count BIGINT NOT NULL DEFAULT 0,
    position BIGINT NOT NULL DEFAULT 0,
    current_path TEXT,
    current_attempt BIGINT NOT NULL DEFAULT 0,
    step_started_at BIGINT,
    attempt_started_at BIGINT,
    last_seq BIGINT NOT NULL DEFAULT 0,
    dispatched_at BIGINT NOT NULL DEFAULT 0,
    cancel_requested_at BIGINT,
    cancel_reason TEXT,
    pause_requested_at BIGINT,
    deadline_at BIGINT,
    priority BIGINT NOT NULL DEFAULT 0,
    trigger_type TEXT NOT NULL,
    trigger_id TEXT,
    firing_id TEXT,
    trigger_data JSON,
    started_by TEXT,
    idempotency_key TEXT,
    retry_of_id TEXT,
    input JSON NOT NULL,
    output JSON,
    error JSON,
    prompt_tokens BIGINT NOT NULL DEFAULT 0,
    completion_tokens BIGINT NOT NULL DEFAULT 0,
    cost_micros BIGINT NOT NULL DEFAULT 0,
    has_unknown_cost BOOLEAN NOT NULL DEFAULT false,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    CHECK ((status IN ('COMPLETED', 'FAILED', 'CANCELLED')) = (finished_at IS NOT NULL)),
    CHECK (finished_at IS NULL OR (ready_at IS NULL AND owner IS NULL AND current_path IS NULL)),
    CHECK (status <> 'RUNNING' OR (owner IS NOT NULL AND ready_at IS NOT NULL)),
    CHECK (status = 'RUNNING' OR owner IS NULL),
    CHECK ((status = 'WAITING') = (wait_reason IS NOT NULL)),
    CHECK (status <> 'PENDING' OR ready_at IS NOT NULL),
    CHECK (status <> 'PAUSED' OR ready_at IS NULL),
    CHECK (status <> 'COMPLETED' OR output IS NOT NULL),
    CHECK (status <> 'FAILED' OR error IS NOT NULL)
);
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
    position BIGINT NOT NULL,
    step_id TEXT NOT NULL,
    step_name TEXT NOT NULL,
    step_type TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('WAITING', 'COMPLETED', 'FAILED', 'SKIPPED', 'CANCELLED')),
    skip_reason TEXT,
    attempt BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    started_at BIGINT,
    attempt_started_at BIGINT,
    finished_at BIGINT,
    wake_at BIGINT,
    input JSON,
    output JSON,
    error JSON,
    model_calls JSON,
    reused_from TEXT,
    prompt_tokens BIGINT NOT NULL DEFAULT 0,
    completion_tokens BIGINT NOT NULL DEFAULT 0,
    cost_micros BIGINT,
    PRIMARY KEY (execution_id, path),
    CHECK ((status = 'WAITING') = (finished_at IS NULL))
);

-- Attempts that ended without ending their step: failed with another to come, or lost.
CREATE TABLE step_attempts (
    execution_id TEXT NOT NULL,
    path TEXT NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    fence BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('FAILED', 'CANCELLED')),
    started_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    error JSON,
    next_attempt_at BIGINT,
    model_calls JSON,
    PRIMARY KEY (execution_id, path, number)
);

CREATE TABLE execution_events (
    execution_id TEXT NOT NULL,
    seq BIGINT NOT NULL CHECK (seq >= 1),
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    path TEXT,
    attempt BIGINT,
    from_status TEXT,
    to_status TEXT,
    data JSON,
    PRIMARY KEY (execution_id, seq)
);

CREATE TABLE decisions (
    execution_id TEXT NOT NULL,
    path TEXT NOT NULL,
    choice TEXT NOT NULL,
    comment TEXT,
    actor_id TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (execution_id, path)
);

CREATE TABLE idempotency_keys (
    workspace_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    result_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, operation, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE dead_letters (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    execution_id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('OPEN', 'REPLAYED', 'DISCARDED')),
    error JSON NOT NULL,
    error_code TEXT NOT NULL,
    replay_execution_id TEXT,
    resolved_by TEXT,
    created_at BIGINT NOT NULL,
    resolved_at BIGINT,
    CHECK ((status = 'OPEN') = (resolved_at IS NULL))
);
CREATE INDEX dead_letters_by_workspace ON dead_letters (workspace_id, created_at, id);
