import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Agents, their runs with a snapshot of the agent, and every finished step of a run. */
export class Agents1764500000007 implements MigrationInterface {
  readonly name = 'Agents1764500000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(AGENTS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE agent_steps, agent_runs, agents, agent_workspaces');
  }
}

const AGENTS = `
CREATE TABLE IF NOT EXISTS agents (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  -- Null: made with the workspace.
  owner_id uuid REFERENCES users (id),
  name text NOT NULL,
  -- tools: the model chooses; research: the platform searches and the model writes from what was found.
  strategy text NOT NULL DEFAULT 'tools' CHECK (strategy IN ('tools', 'research')),
  instructions text NOT NULL DEFAULT '',
  -- Null: the default chat model.
  model text,
  tools text[] NOT NULL DEFAULT '{}',
  collections text[] NOT NULL DEFAULT '{}',
  approval text[] NOT NULL DEFAULT '{}',
  output_schema jsonb,
  limits jsonb NOT NULL,
  version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT agents_name UNIQUE (workspace_id, name)
);
CREATE INDEX IF NOT EXISTS agents_page ON agents (workspace_id, id);
-- The workspaces that have got their ready-made agent: one that was deleted does not come back.
CREATE TABLE IF NOT EXISTS agent_workspaces (
  workspace_id uuid PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS agent_runs (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  owner_id uuid NOT NULL REFERENCES users (id),
  -- Null once the agent is deleted; what it was is in the snapshot.
  agent_id uuid REFERENCES agents (id) ON DELETE SET NULL,
  job_id uuid NOT NULL,
  retry_of uuid,
  visibility text NOT NULL DEFAULT 'private' CHECK (visibility IN ('private', 'workspace')),
  agent jsonb NOT NULL,
  input text NOT NULL,
  context jsonb,
  session_id uuid,
  -- The conversation before the run, as turns.
  history jsonb NOT NULL DEFAULT '[]',
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  -- The answer, or as much of it as there was when the run ended otherwise.
  output text NOT NULL DEFAULT '',
  citations jsonb NOT NULL DEFAULT '[]',
  error jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz
);
CREATE INDEX IF NOT EXISTS agent_runs_page ON agent_runs (agent_id, id);
CREATE INDEX IF NOT EXISTS agent_runs_workspace ON agent_runs (workspace_id);
CREATE TABLE IF NOT EXISTS agent_steps (
  run_id uuid NOT NULL REFERENCES agent_runs (id) ON DELETE CASCADE,
  step int NOT NULL,
  kind text NOT NULL CHECK (kind IN ('model', 'tool')),
  model text,
  -- model: what it said and the calls that it asked for.
  text text,
  calls jsonb,
  -- tool: which call this answers, with what.
  call_id text,
  tool text,
  arguments jsonb,
  result jsonb,
  error jsonb,
  input_tokens int NOT NULL DEFAULT 0,
  output_tokens int NOT NULL DEFAULT 0,
  seconds float8 NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, step)
);`;
