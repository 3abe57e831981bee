-- The prompt library, what executions pin of it, and how credentials fare.

-- A deleted prompt stays for the versions that executions pinned; its name is free again.
ALTER TABLE prompts ADD COLUMN tags JSON NOT NULL DEFAULT '[]';
ALTER TABLE prompts ADD COLUMN deleted_at BIGINT;
CREATE INDEX prompts_by_update ON prompts (workspace_id, updated_at, id) WHERE deleted_at IS NULL;

-- System instructions, and the turns of a conversation before the last message.
ALTER TABLE prompt_versions ADD COLUMN instructions TEXT;
ALTER TABLE prompt_versions ADD COLUMN turns JSON NOT NULL DEFAULT '[]';

-- Which steps of the newest definitions use which prompt.
ALTER TABLE workflow_steps ADD COLUMN prompt_id TEXT;
CREATE INDEX workflow_steps_by_prompt ON workflow_steps (prompt_id) WHERE prompt_id IS NOT NULL;

-- Step name -> version of its prompt, for the steps that follow the current one.
ALTER TABLE executions ADD COLUMN prompt_versions JSON;

-- Why a provider refused a credential, in its words, and since when.
ALTER TABLE credentials ADD COLUMN refused_at BIGINT;
ALTER TABLE credentials ADD COLUMN refusal TEXT;
CREATE INDEX credentials_by_provider ON credentials (workspace_id, provider, created_at);
