-- The ledger's statements for SQLite. A group runs inside one BEGIN IMMEDIATE, statement by
-- statement; `:now` is the clock of the process, which is the database's machine.
-- Instants stand for booleans in RETURNING: SQLite 3.40 answers `x IS NOT NULL` there wrongly.

-- hold_key: Takes an idempotency key unless it is held since less than 24 hours. Returns a row if it was taken.
INSERT INTO idempotency_keys AS held
    (workspace_id, operation, key, request_sha256, result_id, created_at)
VALUES (:workspace_id, :operation, :idempotency_key, :request_sha256, :id, :now)
ON CONFLICT (workspace_id, operation, key) DO UPDATE
    SET request_sha256 = excluded.request_sha256, result_id = excluded.result_id,
        created_at = excluded.created_at
    WHERE held.created_at <= excluded.created_at - 86400000
RETURNING 1;

-- fire: Stores the firing of a new execution unless its message started one before. Returns a row if it was stored.
INSERT INTO firings (id, workspace_id, trigger_id, trigger_type, outcome, scheduled_for,
    dedupe_key, body_sha256, scheme, is_verified, used_previous_secret, payload, source_ip, actor_id,
    execution_id, created_at)
VALUES (:firing_id, :workspace_id, :trigger_id, :trigger_type, 'STARTED', :scheduled_for,
    :dedupe_key,
    :body_sha256, :scheme, :is_verified, :used_previous_secret, :payload, :source_ip, :actor_id,
    :id, :now)
ON CONFLICT DO NOTHING
RETURNING 1;

-- replay: Resolves a dead letter that is open by a new execution. Returns a row if it was open.
UPDATE dead_letters SET status = 'REPLAYED', replay_execution_id = :id, resolved_by = :started_by,
    resolved_at = :now
WHERE id = :dead_letter_id AND status = 'OPEN'
RETURNING 1;

-- dequeue: Gives a firing that is queued its execution. Returns a row if it was queued.
UPDATE firings SET outcome = 'STARTED', execution_id = :id
WHERE id = :queued_firing_id AND outcome = 'QUEUED'
RETURNING 1;

-- open: Stores a new execution. Returns a row if it was stored.
INSERT INTO executions (id, workspace_id, workflow_id, workflow_version_id, workflow_revision,
    status, wait_reason, ready_at, deadline_at, position, last_seq, trigger_type, trigger_id,
    firing_id, trigger_data, prompt_versions, started_by, idempotency_key, retry_of_id, depth, input, created_at)
VALUES (:id, :workspace_id, :workflow_id, :workflow_version_id, :workflow_revision,
    :status, :wait_reason, :now + :start_in_ms, :now + :start_in_ms + :deadline_in_ms, :position,
    1 + :event_count, :trigger_type, :trigger_id, :firing_id, :trigger_data, :prompt_versions, :started_by,
    :idempotency_key, :retry_of_id, :depth, :input, :now)
ON CONFLICT (id) DO NOTHING
RETURNING 1;

-- take_over: Copies outputs kept aside that go with steps taken over: paths in the list :paths.
INSERT INTO large_outputs (execution_id, path, sha256, body, created_at)
SELECT :id, path, sha256, body, :now FROM large_outputs
WHERE execution_id = :retry_of_id AND path IN (SELECT value FROM json_each(:paths));

-- due: Finds at most :limit executions that may be claimed.
SELECT id, status, wait_reason, last_seq FROM executions
WHERE status IN ('PENDING', 'RUNNING', 'WAITING') AND ready_at <= :now
ORDER BY priority DESC, ready_at LIMIT :limit;

-- claim: Takes one execution that is due for :owner and :lease_ms.
UPDATE executions SET
    status = 'RUNNING', wait_reason = NULL, owner = :owner, fence = fence + 1,
    ready_at = :now + :lease_ms, started_at = coalesce(started_at, :now),
    crashes = crashes + (status = 'RUNNING'),
    recovery_count = recovery_count + (status = 'RUNNING'),
    -- A start is news only where an endpoint is told of starts.
    news_at = CASE WHEN started_at IS NULL AND EXISTS (
            SELECT 1 FROM webhook_endpoints p
            WHERE p.workspace_id = executions.workspace_id AND p.starts_since IS NOT NULL)
        THEN :now ELSE news_at END,
    last_seq = last_seq + (NOT (status = 'RUNNING' OR wait_reason IS 'HANDOVER'))
WHERE id = :id
RETURNING id, workspace_id, workflow_id, workflow_version_id, workflow_revision, fence, position,
    current_path, current_attempt, step_started_at, attempt_started_at, crashes, last_seq, status,
    cancel_requested_at AS is_cancel_requested, pause_requested_at AS is_pause_requested,
    deadline_at, trigger_type, trigger_id, trigger_data, prompt_versions, input, created_at,
    :now AS now;

-- renew: Prolongs a lease that still holds. Returns what was asked of the execution meanwhile.
UPDATE executions SET ready_at = :now + :lease_ms
WHERE id = :id AND fence = :fence AND status = 'RUNNING'
RETURNING cancel_requested_at AS is_cancel_requested,
    pause_requested_at AS is_pause_requested;

-- record: The guarded UPDATE of a holder's write; its row admits the rest. No wait outlasts the deadline; a step, a wait or a pause begins only if nothing else is asked.
UPDATE executions SET
    status = :status, wait_reason = :wait_reason, paused_wait_reason = :paused_wait_reason,
    ready_at = CASE :status WHEN 'RUNNING' THEN ready_at WHEN 'WAITING' THEN
        coalesce(min(coalesce(:ready_at, :now + :ready_in_ms), deadline_at),
            :ready_at, :now + :ready_in_ms, deadline_at) END,
    paused_ready_at = CASE WHEN :paused_wait_reason IS NOT NULL THEN
        coalesce(min(coalesce(:ready_at, :now + :ready_in_ms), deadline_at),
            :ready_at, :now + :ready_in_ms, deadline_at) END,
    owner = CASE WHEN :status = 'RUNNING' THEN owner END,
    position = :position, current_path = :current_path, current_attempt = :current_attempt,
    step_started_at = CASE WHEN :is_final THEN NULL
        WHEN :current_path IS NULL THEN :step_started_at
        ELSE coalesce(:step_started_at, :now) END,
    attempt_started_at = CASE WHEN :current_path IS NULL THEN NULL ELSE :now END,
    crashes = CASE WHEN :is_progress THEN 0 ELSE crashes END,
    output = :output, output_bytes = :output_bytes, error = :error,
    prompt_tokens = prompt_tokens + :prompt_tokens,
    completion_tokens = completion_tokens + :completion_tokens,
    cost_micros = cost_micros + :cost_micros,
    has_unknown_cost = has_unknown_cost OR :has_unknown_cost,
    finished_at = CASE WHEN :is_final THEN :now END,
    news_at = CASE WHEN :has_news THEN :now ELSE news_at END,
    last_seq = last_seq + :event_count
WHERE id = :id AND fence = :fence AND status = 'RUNNING' AND last_seq = :expected_seq
    AND CASE WHEN :status = 'PAUSED' THEN
            pause_requested_at IS NOT NULL AND cancel_requested_at IS NULL
        WHEN :status = 'WAITING' AND :wait_reason <> 'HANDOVER'
            OR :status = 'RUNNING' AND :current_attempt = 1 THEN
            pause_requested_at IS NULL AND cancel_requested_at IS NULL
        ELSE true END
RETURNING workspace_id, workflow_id, last_seq,
    cancel_requested_at AS is_cancel_requested,
    pause_requested_at AS is_pause_requested;

-- recorded: Finds a write that was sent again: its execution stands where it led to.
SELECT coalesce(attempt_started_at, finished_at, :now) AS now, last_seq,
    cancel_requested_at AS is_cancel_requested, pause_requested_at AS is_pause_requested
FROM executions WHERE id = :id AND fence = :fence AND status = :status
    AND last_seq = :expected_seq + :event_count;

-- stored: Finds an opening that was sent again.
SELECT created_at FROM executions WHERE id = :id;

-- steps: Stores steps that wait or ended: the objects of :rows. Only a waiting one may change; the status NULL, which no row may have, refuses the others.
INSERT INTO step_executions AS held (execution_id, path, position, step_id, step_name, step_type,
    status, skip_reason, attempt, fence, started_at, attempt_started_at, finished_at, wake_at,
    input, output, output_bytes, error, model_calls, reused_from, prompt_tokens,
    completion_tokens, cost_micros)
SELECT value ->> 'execution_id', value ->> 'path', value ->> 'position', value ->> 'step_id',
    value ->> 'step_name', value ->> 'step_type', value ->> 'status', value ->> 'skip_reason',
    value ->> 'attempt', value ->> 'fence', value ->> 'started_at',
    value ->> 'attempt_started_at',
    CASE WHEN value ->> 'status' <> 'WAITING' THEN :now END,
    coalesce(value ->> 'wake_at', :now + (value ->> 'wake_in_ms')),
    value ->> 'input', value ->> 'output', value ->> 'output_bytes', value ->> 'error',
    value ->> 'model_calls', value ->> 'reused_from', value ->> 'prompt_tokens',
    value ->> 'completion_tokens', value ->> 'cost_micros'
FROM json_each(:rows) WHERE true
ON CONFLICT (execution_id, path) DO UPDATE SET
    status = CASE held.status WHEN 'WAITING' THEN excluded.status END,
    attempt = excluded.attempt, fence = excluded.fence,
    attempt_started_at = excluded.attempt_started_at, finished_at = excluded.finished_at,
    wake_at = excluded.wake_at, input = coalesce(excluded.input, held.input),
    output = excluded.output, output_bytes = excluded.output_bytes, error = excluded.error,
    model_calls = excluded.model_calls, prompt_tokens = excluded.prompt_tokens,
    completion_tokens = excluded.completion_tokens, cost_micros = excluded.cost_micros;

-- large_outputs: Stores outputs that are kept aside: the objects of :rows.
INSERT INTO large_outputs (execution_id, path, sha256, body, created_at)
SELECT value ->> 'execution_id', value ->> 'path', value ->> 'sha256', value ->> 'body', :now
FROM json_each(:rows);

-- attempts: Stores attempts that ended without ending their steps: the objects of :rows.
INSERT INTO step_attempts (execution_id, path, number, fence, status, started_at, finished_at,
    error, next_attempt_at, model_calls)
SELECT value ->> 'execution_id', value ->> 'path', value ->> 'number', value ->> 'fence',
    value ->> 'status', value ->> 'started_at', :now, value ->> 'error',
    :now + (value ->> 'next_in_ms'), value ->> 'model_calls'
FROM json_each(:rows);

-- events: Stores events: the objects of :rows.
INSERT INTO execution_events
    (execution_id, seq, kind, at, path, attempt, from_status, to_status, data)
SELECT value ->> 'execution_id', value ->> 'seq', value ->> 'kind', :now, value ->> 'path',
    value ->> 'attempt', value ->> 'from_status', value ->> 'to_status', value ->> 'data'
FROM json_each(:rows);

-- feed: Stores changes of executions' status, of the events in :rows, in the feeds of their workspaces.
INSERT INTO execution_feed (workspace_id, execution_id, seq)
SELECT e.workspace_id, e.id, value ->> 'seq'
FROM json_each(:rows) v JOIN executions e ON e.id = value ->> 'execution_id'
WHERE value ->> 'kind' = 'EXECUTION_STATUS_CHANGED' ORDER BY v.key;

-- dead_letter: Opens a dead letter.
INSERT INTO dead_letters (id, workspace_id, workflow_id, execution_id, status, error, error_code,
    created_at)
VALUES (:id, :workspace_id, :workflow_id, :execution_id, 'OPEN', :error, :error_code, :now);

