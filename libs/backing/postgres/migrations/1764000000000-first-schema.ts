import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Accounts: who may act, where, and with which secret (secrets only as hashes). */
const IDENTITY = `
CREATE TABLE users (
  id uuid PRIMARY KEY,
  email text NOT NULL UNIQUE,
  name text,
  password_hash text NOT NULL,
  instance_admin boolean NOT NULL DEFAULT false,
  first_admin boolean NOT NULL DEFAULT false,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
-- At most one row may ever be the first admin: the race between registrations ends here.
CREATE UNIQUE INDEX users_first_admin ON users (first_admin) WHERE first_admin;
CREATE TABLE workspaces (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  owner_id uuid NOT NULL REFERENCES users (id),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE memberships (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);
-- One login: the family of its refresh tokens. Revoking it ends every token made by it.
CREATE TABLE logins (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_for text CHECK (revoked_for IN ('logout', 'reuse', 'password', 'suspended'))
);
CREATE INDEX logins_user ON logins (user_id);
CREATE TABLE refresh_tokens (
  token_hash bytea PRIMARY KEY,
  login_id uuid NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  rotated_at timestamptz
);
CREATE INDEX refresh_tokens_login ON refresh_tokens (login_id);
CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  owner_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name text NOT NULL,
  secret_hash bytea NOT NULL UNIQUE,
  secret_hint text NOT NULL,
  scopes text[] NOT NULL,
  requests_per_minute int,
  tokens_per_day bigint,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_keys_owner ON api_keys (workspace_id, owner_id, id);
-- Secrets of the whole instance by purpose, as hashes: the setup token.
CREATE TABLE instance_secrets (
  name text PRIMARY KEY,
  secret_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);`;

/** The ledger: collections, documents, points with their input vectors; every store can be rebuilt from it. */
const LEDGER = `
CREATE TABLE spaces (
  id uuid PRIMARY KEY,
  store text NOT NULL,
  model text,
  dimensions int NOT NULL CHECK (dimensions BETWEEN 1 AND 4096),
  metric text NOT NULL CHECK (metric IN ('cosine', 'dot', 'l2')),
  version int NOT NULL,
  physical_name text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX spaces_identity ON spaces (store, coalesce(model, ''), dimensions, metric, version);
-- A collection's name is an alias to its space: moving it to another store or model changes space_id only.
CREATE TABLE collections (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  owner_id uuid NOT NULL REFERENCES users (id),
  name text NOT NULL,
  space_id uuid REFERENCES spaces (id),
  language text,
  description text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (workspace_id, name)
);
CREATE TABLE documents (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  owner_id uuid NOT NULL REFERENCES users (id),
  collection_id uuid NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  name text NOT NULL,
  external_id text,
  media_type text NOT NULL,
  bytes bigint NOT NULL,
  sha256 text NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'ingesting', 'ready', 'failed')),
  error jsonb,
  language text,
  pages int,
  chunks int NOT NULL DEFAULT 0,
  lexemes bigint NOT NULL DEFAULT 0,
  -- The version being ingested, and the one that searches see (null: none yet).
  version int NOT NULL DEFAULT 1,
  visible_version int,
  -- The version under which the original is stored: another try reads the same bytes under a new version.
  content_version int NOT NULL DEFAULT 1,
  metadata jsonb NOT NULL DEFAULT '{}',
  job_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX documents_page ON documents (workspace_id, id);
CREATE INDEX documents_collection ON documents (collection_id, id);
-- The same bytes once in a collection, unless the earlier try failed.
CREATE UNIQUE INDEX documents_content ON documents (collection_id, sha256) WHERE status <> 'failed';
CREATE UNIQUE INDEX documents_external ON documents (collection_id, external_id) WHERE external_id IS NOT NULL;
CREATE TABLE points (
  collection_id uuid NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  id text NOT NULL,
  physical_id uuid NOT NULL UNIQUE,
  space_id uuid NOT NULL REFERENCES spaces (id),
  workspace_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  -- Set for chunks of a document; such a point is visible while the document's visible_version is this one. No foreign key: a deleted document
  -- disappears with its row, and its points are what is still to be removed from the store.
  document_id uuid,
  document_version int,
  -- chunk: a passage; overview: title, headings and opening of the whole document.
  kind text NOT NULL DEFAULT 'point' CHECK (kind IN ('point', 'chunk', 'overview')),
  ordinal int,
  page int,
  -- UTF-16 code units of the extracted text; text is exactly that slice.
  start_offset int,
  end_offset int,
  heading text,
  text text,
  tokens int,
  language text,
  lexemes tsvector,
  lexeme_count int NOT NULL DEFAULT 0,
  metadata jsonb NOT NULL DEFAULT '{}',
  -- The input vector, float32 little-endian, and its hash.
  vector bytea NOT NULL,
  vector_sha256 bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (collection_id, id)
);
CREATE UNIQUE INDEX points_document ON points (document_id, document_version, kind, ordinal);
CREATE INDEX points_lexemes ON points USING gin (lexemes);
CREATE TABLE blobs (
  key text PRIMARY KEY,
  -- Which parts are its content: a new content is written aside and takes over in one step.
  content_id uuid NOT NULL UNIQUE,
  bytes bigint NOT NULL,
  sha256 text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE blob_parts (
  content_id uuid NOT NULL,
  part int NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (content_id, part)
);`;

const JOBS = `
CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  owner_id uuid NOT NULL REFERENCES users (id),
  api_key_id uuid,
  visibility text NOT NULL DEFAULT 'private' CHECK (visibility IN ('private', 'workspace')),
  kind text NOT NULL,
  contract_version int NOT NULL,
  payload jsonb NOT NULL,
  -- What the job works on (a chat session, a document): deleting it cancels its jobs.
  subject_id uuid,
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')),
  attempt int NOT NULL DEFAULT 0,
  max_attempts int NOT NULL,
  -- Fencing: raised by every claim and by a cancel; a write with an older epoch changes nothing.
  epoch int NOT NULL DEFAULT 0,
  last_seq int NOT NULL DEFAULT 0,
  lease_holder text,
  lease_until timestamptz,
  retry_at timestamptz,
  -- Why the text so far is void, for the event that the next attempt begins with.
  reset_reason text,
  -- When its message was last put into the outbox: a queued job whose message was lost gets another.
  dispatched_at timestamptz NOT NULL DEFAULT now(),
  progress jsonb,
  checkpoint jsonb,
  result jsonb,
  error jsonb,
  cancel_requested_at timestamptz,
  retry_of uuid,
  request_id text,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz
);
CREATE INDEX jobs_page ON jobs (workspace_id, owner_id, id);
CREATE INDEX jobs_subject ON jobs (subject_id) WHERE status IN ('queued', 'running', 'waiting');
CREATE INDEX jobs_open ON jobs (status, lease_until) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_recent ON jobs (kind, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
-- A table of a stream: rows die together, after the retention.
CREATE TABLE job_events (
  job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  seq int NOT NULL,
  event text NOT NULL,
  data jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (job_id, seq)
);
CREATE TABLE outbox (
  id uuid PRIMARY KEY,
  job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  kind text NOT NULL,
  available_at timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_available ON outbox (available_at);
CREATE INDEX outbox_job ON outbox (job_id);`;

const CHAT = `
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

/** The first schema. PostgreSQL 16 with the extension `vector`; the embedded engine is newer, so nothing newer than 16 may stand here. */
export class FirstSchema1764000000000 implements MigrationInterface {
  readonly name = 'FirstSchema1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE EXTENSION IF NOT EXISTS vector');
    for (const part of [IDENTITY, LEDGER, JOBS, CHAT]) await runner.query(part);
  }

  async down(): Promise<void> {
    // Going back would drop every document and account: restore the copy that was made before the upgrade instead.
    throw new Error('The first schema cannot be undone.');
  }
}
