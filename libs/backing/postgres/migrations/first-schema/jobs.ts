/** Jobs with their leases, the log of each, and what is still to be dispatched. */
export const JOBS = `
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
