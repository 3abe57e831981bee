-- The ledger's statements for PostgreSQL. A statement takes a whole group of writes as JSON and is
-- one commit. `now` is the database's clock unless the last parameter says otherwise. Whatever
-- locks an execution lifts `feed_position`, so that its entries in the feed keep their order.

-- open: Stores new executions ($1) with their first event, and the steps ($2) and events ($3) that they take over, each at most once for its key, firing or dead letter. Returns (id, now) of those stored.
WITH o AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::json) AS o(
        id text, workspace_id text, workflow_id text, workflow_version_id text,
        workflow_revision bigint, status text, wait_reason text, start_in_ms bigint,
        deadline_in_ms bigint, position bigint, event_count bigint, dead_letter_id text,
        trigger_type text, trigger_id text, firing_id text, trigger_data json, prompt_versions json, started_by text,
        idempotency_key text, retry_of_id text, input json, has_key boolean, has_firing boolean,
        operation text, request_sha256 text,
        scheduled_for bigint, queued_firing_id text, depth bigint,
        dedupe_key text, body_sha256 text, scheme text, is_verified boolean,
        used_previous_secret boolean, payload json, source_ip text, actor_id text)
), t AS MATERIALIZED (
    SELECT coalesce($4::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now
), k AS (
    INSERT INTO idempotency_keys AS held
        (workspace_id, operation, key, request_sha256, result_id, created_at)
    SELECT o.workspace_id, o.operation, o.idempotency_key, o.request_sha256, o.id, t.now
    FROM o, t WHERE o.has_key
    ORDER BY o.workspace_id, o.operation, o.idempotency_key
    ON CONFLICT (workspace_id, operation, key) DO UPDATE
        SET request_sha256 = excluded.request_sha256, result_id = excluded.result_id,
            created_at = excluded.created_at
        WHERE held.created_at <= excluded.created_at - 86400000
    RETURNING result_id
), f AS (
    INSERT INTO firings (id, workspace_id, trigger_id, trigger_type, outcome, scheduled_for,
        dedupe_key,
        body_sha256, scheme, is_verified, used_previous_secret, payload, source_ip, actor_id,
        execution_id, created_at)
    SELECT o.firing_id, o.workspace_id, o.trigger_id, o.trigger_type, 'STARTED',
        o.scheduled_for, o.dedupe_key,
        o.body_sha256, o.scheme, o.is_verified, o.used_previous_secret, o.payload, o.source_ip,
        o.actor_id, o.id, t.now
    FROM o, t WHERE o.has_firing
    ORDER BY o.trigger_id, o.dedupe_key
    ON CONFLICT DO NOTHING
    RETURNING execution_id
), r AS (
    UPDATE dead_letters d SET status = 'REPLAYED', replay_execution_id = o.id,
        resolved_by = o.started_by, resolved_at = t.now
    FROM o, t WHERE d.id = o.dead_letter_id AND d.status = 'OPEN'
    RETURNING d.replay_execution_id
), q AS (
    UPDATE firings f SET outcome = 'STARTED', execution_id = o.id
    FROM o WHERE f.id = o.queued_firing_id AND f.outcome = 'QUEUED'
    RETURNING f.execution_id
), e AS (
    INSERT INTO executions (id, workspace_id, workflow_id, workflow_version_id, workflow_revision,
        status, wait_reason, ready_at, deadline_at, position, last_seq, trigger_type, trigger_id,
        firing_id, trigger_data, prompt_versions, started_by, idempotency_key, retry_of_id, depth, input,
        feed_position, created_at)
    SELECT o.id, o.workspace_id, o.workflow_id, o.workflow_version_id, o.workflow_revision,
        o.status, o.wait_reason, t.now + o.start_in_ms,
        t.now + o.start_in_ms + o.deadline_in_ms, o.position, 1 + o.event_count, o.trigger_type,
        o.trigger_id,
        o.firing_id, o.trigger_data, o.prompt_versions, o.started_by, o.idempotency_key, o.retry_of_id, o.depth, o.input,
        pg_current_xact_id()::text::bigint, t.now
    FROM o, t
    WHERE (NOT o.has_key OR o.id IN (SELECT result_id FROM k))
        AND (NOT o.has_firing OR o.id IN (SELECT execution_id FROM f))
        AND (o.dead_letter_id IS NULL OR o.id IN (SELECT replay_execution_id FROM r))
        AND (o.queued_firing_id IS NULL OR o.id IN (SELECT execution_id FROM q))
    ON CONFLICT (id) DO NOTHING
    RETURNING id, workspace_id, feed_position, status, retry_of_id
), s AS (
    INSERT INTO step_executions (execution_id, path, position, step_id, step_name, step_type,
        status, skip_reason, attempt, fence, attempt_started_at, finished_at, input, output,
        output_bytes, error, reused_from, cost_micros)
    SELECT s.execution_id, s.path, s.position, s.step_id, s.step_name, s.step_type, s.status,
        s.skip_reason, 0, 0, s.attempt_started_at, t.now, s.input, s.output, s.output_bytes,
        s.error, s.reused_from, 0
    FROM json_to_recordset($2::json) AS s(
        execution_id text, path text, position bigint, step_id text, step_name text,
        step_type text, status text, skip_reason text, attempt_started_at bigint, input json,
        output json, output_bytes bigint, error json, reused_from text)
    JOIN e ON e.id = s.execution_id, t
    RETURNING execution_id, path, output_bytes
), l AS (
    INSERT INTO large_outputs (execution_id, path, sha256, body, created_at)
    SELECT s.execution_id, s.path, l.sha256, l.body, t.now
    FROM s JOIN e ON e.id = s.execution_id
    JOIN large_outputs l ON l.execution_id = e.retry_of_id AND l.path = s.path, t
    WHERE s.output_bytes IS NOT NULL
), v AS (
    INSERT INTO execution_events (execution_id, seq, kind, at, to_status)
    SELECT e.id, 1, 'EXECUTION_STATUS_CHANGED', t.now, e.status FROM e, t
), n AS (
    INSERT INTO execution_feed (workspace_id, position, execution_id, seq)
    SELECT e.workspace_id, e.feed_position, e.id, 1 FROM e
), w AS (
    INSERT INTO execution_events
        (execution_id, seq, kind, at, path, attempt, from_status, to_status)
    SELECT v.execution_id, v.number, v.kind, t.now, v.path, v.attempt, v.from_status, v.to_status
    FROM json_to_recordset($3::json) AS v(execution_id text, number bigint, kind text, path text,
        attempt bigint, from_status text, to_status text)
    JOIN e ON e.id = v.execution_id, t
)
SELECT e.id, t.now FROM e, t;

-- claim: Takes at most $1 due executions for owner $2 and $3 milliseconds, skipping rows that others are taking.
WITH t AS MATERIALIZED (
    SELECT coalesce($4::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now
), due AS MATERIALIZED (
    SELECT x.id, x.status, x.wait_reason FROM executions x
    WHERE x.status IN ('PENDING', 'RUNNING', 'WAITING') AND x.ready_at <= (SELECT now FROM t)
    ORDER BY x.priority DESC, x.ready_at
    LIMIT $1 FOR UPDATE SKIP LOCKED
), u AS (
    UPDATE executions e SET
        status = 'RUNNING', wait_reason = NULL, owner = $2, fence = e.fence + 1,
        ready_at = t.now + $3, started_at = coalesce(e.started_at, t.now),
        crashes = CASE WHEN due.status = 'RUNNING' THEN e.crashes + 1 ELSE e.crashes END,
        recovery_count = e.recovery_count + CASE WHEN due.status = 'RUNNING' THEN 1 ELSE 0 END,
        -- A start is news only where an endpoint is told of starts.
        news_at = CASE WHEN e.started_at IS NULL AND EXISTS (
                SELECT 1 FROM webhook_endpoints p
                WHERE p.workspace_id = e.workspace_id AND p.starts_since IS NOT NULL)
            THEN t.now ELSE e.news_at END,
        last_seq = e.last_seq + CASE WHEN due.status = 'RUNNING' OR due.wait_reason = 'HANDOVER'
            THEN 0 ELSE 1 END,
        feed_position = greatest(e.feed_position, pg_current_xact_id()::text::bigint)
    FROM due, t WHERE e.id = due.id
    RETURNING e.id, e.workspace_id, e.workflow_id, e.workflow_version_id, e.workflow_revision,
        e.fence, e.position, e.current_path, e.current_attempt, e.step_started_at,
        e.attempt_started_at, e.crashes, e.last_seq,
        e.cancel_requested_at IS NOT NULL AS is_cancel_requested,
        e.pause_requested_at IS NOT NULL AS is_pause_requested, e.deadline_at, e.trigger_type,
        e.trigger_id, e.trigger_data, e.prompt_versions, e.input, e.created_at, t.now, e.priority,
        e.feed_position, due.status AS from_status, due.wait_reason AS from_reason
), v AS (
    INSERT INTO execution_events (execution_id, seq, kind, at, from_status, to_status)
    SELECT u.id, u.last_seq, 'EXECUTION_STATUS_CHANGED', u.now, u.from_status, 'RUNNING' FROM u
    WHERE NOT (u.from_status = 'RUNNING' OR coalesce(u.from_reason = 'HANDOVER', false))
), n AS (
    INSERT INTO execution_feed (workspace_id, position, execution_id, seq)
    SELECT u.workspace_id, u.feed_position, u.id, u.last_seq FROM u
    WHERE NOT (u.from_status = 'RUNNING' OR coalesce(u.from_reason = 'HANDOVER', false))
)
SELECT u.id, u.workspace_id, u.workflow_id, u.workflow_version_id, u.workflow_revision, u.fence,
    u.position, u.current_path, u.current_attempt, u.step_started_at, u.attempt_started_at,
    u.crashes, u.last_seq, u.is_cancel_requested, u.is_pause_requested, u.deadline_at,
    u.from_reason AS waited_for, u.trigger_type, u.trigger_id, u.trigger_data, u.prompt_versions, u.input, u.created_at, u.now
FROM u ORDER BY u.priority DESC, u.created_at, u.id;

-- renew: Prolongs the leases ($1: id, fence, lease_ms) that still hold. Returns what was asked of them meanwhile.
UPDATE executions e
SET ready_at = coalesce($2::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
    + r.lease_ms
FROM json_to_recordset($1::json) AS r(id text, fence bigint, lease_ms bigint)
WHERE e.id = r.id AND e.fence = r.fence AND e.status = 'RUNNING'
RETURNING e.id, e.fence, e.cancel_requested_at IS NOT NULL AS is_cancel_requested,
    e.pause_requested_at IS NOT NULL AS is_pause_requested;

-- record: Writes of holders: executions ($1), steps ($2), attempts ($3), events ($4), dead letters ($5), outputs kept aside ($7). The guarded UPDATE locks the row and admits the rest. No wait outlasts the deadline; a step, a wait or a pause begins only if nothing else is asked.
WITH w AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::json) AS w(
        id text, fence bigint, expected_seq bigint, event_count bigint, status text,
        wait_reason text, paused_wait_reason text, ready_at bigint, ready_in_ms bigint,
        position bigint, current_path text,
        current_attempt bigint, step_started_at bigint, is_final boolean, has_news boolean,
        is_progress boolean,
        output json, output_bytes bigint, error json, prompt_tokens bigint,
        completion_tokens bigint, cost_micros bigint, has_unknown_cost boolean)
), t AS MATERIALIZED (
    SELECT coalesce($6::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now
), u AS (
    UPDATE executions e SET
        status = w.status, wait_reason = w.wait_reason,
        paused_wait_reason = w.paused_wait_reason,
        ready_at = CASE w.status WHEN 'RUNNING' THEN e.ready_at WHEN 'WAITING' THEN
            least(coalesce(w.ready_at, t.now + w.ready_in_ms), e.deadline_at) END,
        paused_ready_at = CASE WHEN w.paused_wait_reason IS NOT NULL THEN
            least(coalesce(w.ready_at, t.now + w.ready_in_ms), e.deadline_at) END,
        owner = CASE WHEN w.status = 'RUNNING' THEN e.owner END,
        position = w.position, current_path = w.current_path,
        current_attempt = w.current_attempt,
        step_started_at = CASE WHEN w.is_final THEN NULL
            WHEN w.current_path IS NULL THEN w.step_started_at
            ELSE coalesce(w.step_started_at, t.now) END,
        attempt_started_at = CASE WHEN w.current_path IS NULL THEN NULL ELSE t.now END,
        crashes = CASE WHEN w.is_progress THEN 0 ELSE e.crashes END,
        output = w.output, output_bytes = w.output_bytes, error = w.error,
        prompt_tokens = e.prompt_tokens + w.prompt_tokens,
        completion_tokens = e.completion_tokens + w.completion_tokens,
        cost_micros = e.cost_micros + w.cost_micros,
        has_unknown_cost = e.has_unknown_cost OR w.has_unknown_cost,
        finished_at = CASE WHEN w.is_final THEN t.now END,
        news_at = CASE WHEN w.has_news THEN t.now ELSE e.news_at END,
        last_seq = e.last_seq + w.event_count,
        feed_position = greatest(e.feed_position, pg_current_xact_id()::text::bigint)
    FROM w, t
    WHERE e.id = w.id AND e.fence = w.fence AND e.status = 'RUNNING'
        AND e.last_seq = w.expected_seq
        AND CASE WHEN w.status = 'PAUSED' THEN
                e.pause_requested_at IS NOT NULL AND e.cancel_requested_at IS NULL
            WHEN w.status = 'WAITING' AND w.wait_reason <> 'HANDOVER'
                OR w.status = 'RUNNING' AND w.current_attempt = 1 THEN
                e.pause_requested_at IS NULL AND e.cancel_requested_at IS NULL
            ELSE true END
    RETURNING e.id, e.workspace_id, e.workflow_id, e.feed_position, w.expected_seq, e.last_seq,
        t.now,
        e.cancel_requested_at IS NOT NULL AS is_cancel_requested,
        e.pause_requested_at IS NOT NULL AS is_pause_requested
), s AS (
    -- Only a waiting step may change; the status NULL, which no row may have, refuses the others.
    INSERT INTO step_executions AS held (execution_id, path, position, step_id, step_name,
        step_type, status, skip_reason, attempt, fence, started_at, attempt_started_at,
        finished_at, wake_at, input, output, output_bytes, error, model_calls, prompt_tokens,
        completion_tokens, cost_micros)
    SELECT s.execution_id, s.path, s.position, s.step_id, s.step_name, s.step_type, s.status,
        s.skip_reason, s.attempt, s.fence, s.started_at, s.attempt_started_at,
        CASE WHEN s.status <> 'WAITING' THEN u.now END,
        coalesce(s.wake_at, u.now + s.wake_in_ms), s.input, s.output, s.output_bytes, s.error,
        s.model_calls, s.prompt_tokens, s.completion_tokens, s.cost_micros
    FROM json_to_recordset($2::json) AS s(
        execution_id text, path text, position bigint, step_id text, step_name text,
        step_type text, status text, skip_reason text, attempt bigint, fence bigint,
        started_at bigint, attempt_started_at bigint, wake_at bigint, wake_in_ms bigint,
        input json, output json, output_bytes bigint, error json, model_calls json,
        prompt_tokens bigint, completion_tokens bigint, cost_micros bigint)
    JOIN u ON u.id = s.execution_id
    ON CONFLICT (execution_id, path) DO UPDATE SET
        status = CASE held.status WHEN 'WAITING' THEN excluded.status END,
        attempt = excluded.attempt, fence = excluded.fence,
        attempt_started_at = excluded.attempt_started_at, finished_at = excluded.finished_at,
        wake_at = excluded.wake_at, input = coalesce(excluded.input, held.input),
        output = excluded.output, output_bytes = excluded.output_bytes, error = excluded.error,
        model_calls = excluded.model_calls, prompt_tokens = excluded.prompt_tokens,
        completion_tokens = excluded.completion_tokens, cost_micros = excluded.cost_micros
), l AS (
    INSERT INTO large_outputs (execution_id, path, sha256, body, created_at)
    SELECT l.execution_id, l.path, l.sha256, l.body, u.now
    FROM json_to_recordset($7::json) AS l(execution_id text, path text, sha256 text, body text)
    JOIN u ON u.id = l.execution_id
), a AS (
    INSERT INTO step_attempts (execution_id, path, number, fence, status, started_at, finished_at,
        error, next_attempt_at, model_calls)
    SELECT a.execution_id, a.path, a.number, a.fence, a.status, a.started_at, u.now, a.error,
        u.now + a.next_in_ms, a.model_calls
    FROM json_to_recordset($3::json) AS a(execution_id text, path text, number bigint,
        fence bigint, status text, started_at bigint, error json, next_in_ms bigint,
        model_calls json)
    JOIN u ON u.id = a.execution_id
), d AS (
    INSERT INTO dead_letters (id, workspace_id, workflow_id, execution_id, status, error,
        error_code, created_at)
    SELECT d.id, u.workspace_id, u.workflow_id, d.execution_id, 'OPEN', d.error, d.error_code, u.now
    FROM json_to_recordset($5::json) AS d(id text, execution_id text, error json, error_code text)
    JOIN u ON u.id = d.execution_id
), v AS (
    INSERT INTO execution_events
        (execution_id, seq, kind, at, path, attempt, from_status, to_status, data)
    SELECT v.execution_id, u.expected_seq + v.number, v.kind, u.now, v.path, v.attempt,
        v.from_status, v.to_status, v.data
    FROM json_to_recordset($4::json) AS v(execution_id text, number bigint, kind text, path text,
        attempt bigint, from_status text, to_status text, data json)
    JOIN u ON u.id = v.execution_id
), n AS (
    INSERT INTO execution_feed (workspace_id, position, execution_id, seq)
    SELECT u.workspace_id, u.feed_position, u.id, u.expected_seq + v.number
    FROM json_to_recordset($4::json) AS v(execution_id text, number bigint, kind text)
    JOIN u ON u.id = v.execution_id WHERE v.kind = 'EXECUTION_STATUS_CHANGED'
)
SELECT u.id, u.now, u.last_seq, u.is_cancel_requested, u.is_pause_requested FROM u;

-- recorded: Finds writes whose answer was lost: where each execution of $1 stands.
SELECT id, fence, status, last_seq, cancel_requested_at IS NOT NULL AS is_cancel_requested,
    pause_requested_at IS NOT NULL AS is_pause_requested,
    coalesce(attempt_started_at, finished_at,
        (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now
FROM executions WHERE id = ANY($1::text[]);

-- stored: Finds openings whose answer was lost: which ids of $1 exist.
SELECT id, created_at AS now FROM executions WHERE id = ANY($1::text[]);
