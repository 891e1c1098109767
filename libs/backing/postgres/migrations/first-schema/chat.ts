/** Conversations, and what each model call used. */
export const CHAT = `
CREATE TABLE chat_sessions (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  owner_id uuid NOT NULL REFERENCES users (id),
  visibility text NOT NULL DEFAULT 'private' CHECK (visibility IN ('private', 'workspace')),
  title text,
  model text,
  system text,
  collections text[] NOT NULL DEFAULT '{}',
  options jsonb NOT NULL DEFAULT '{}',
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX chat_sessions_page ON chat_sessions (workspace_id, owner_id, id);
CREATE TABLE chat_messages (
  id uuid PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
  workspace_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  parent_id uuid REFERENCES chat_messages (id) ON DELETE CASCADE,
  active boolean NOT NULL DEFAULT true,
  role text NOT NULL CHECK (role IN ('user', 'assistant')),
  content text NOT NULL DEFAULT '',
  reasoning text,
  status text NOT NULL CHECK (status IN ('queued', 'streaming', 'complete', 'failed', 'cancelled')),
  error jsonb,
  citations jsonb NOT NULL DEFAULT '[]',
  usage jsonb,
  model text,
  finish_reason text,
  job_id uuid,
  feedback jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX chat_messages_page ON chat_messages (session_id, id);
-- One answer per session at a time.
CREATE UNIQUE INDEX chat_messages_answering ON chat_messages (session_id) WHERE status IN ('queued', 'streaming');
CREATE TABLE usage (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  user_id uuid NOT NULL,
  api_key_id uuid,
  job_id uuid,
  operation text NOT NULL CHECK (operation IN ('chat', 'embed')),
  model text NOT NULL,
  input_tokens int NOT NULL,
  output_tokens int NOT NULL,
  seconds double precision NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX usage_by_day ON usage (workspace_id, created_at);`;
