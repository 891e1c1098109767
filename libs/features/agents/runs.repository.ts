import { Injectable } from '@nestjs/common';
import { PostgresClient, pageConditions, pageOf, pageOrder, raw, sql, type Queryable } from '@backing/postgres';
import type { Acceptance } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import type { AgentRun, AgentStep, NewStep } from './run.entity';

const RUN = raw(
  `id, workspace_id AS "workspaceId", owner_id AS "ownerId", agent_id AS "agentId", job_id AS "jobId", retry_of AS "retryOf", visibility, agent, input,
   context, session_id AS "sessionId", history, status, output, citations, error, created_at AS "createdAt", started_at AS "startedAt",
   finished_at AS "finishedAt"`,
);
const STEP = raw(
  `step, kind, model, text, calls, call_id AS "callId", tool, arguments, result, error, input_tokens AS "inputTokens",
   output_tokens AS "outputTokens", seconds, started_at AS "startedAt", finished_at AS "finishedAt"`,
);

export type NewRun = Pick<
  AgentRun,
  'id' | 'workspaceId' | 'ownerId' | 'agentId' | 'retryOf' | 'visibility' | 'agent' | 'input' | 'context' | 'sessionId' | 'history'
>;
export type RunEnd = Pick<AgentRun, 'status' | 'output' | 'citations' | 'error'>;

/** Rows of runs and of their finished steps. */
@Injectable()
export class RunsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** The run, its job, the job's first event and its dispatch: one statement. */
  async accept(run: NewRun, job: Acceptance): Promise<void> {
    await this.postgres.query(
      sql`WITH ${job.ctes}
          INSERT INTO agent_runs (id, workspace_id, owner_id, agent_id, job_id, retry_of, visibility, agent, input, context, session_id, history)
          VALUES (${run.id}::uuid, ${run.workspaceId}::uuid, ${run.ownerId}::uuid, ${run.agentId}::uuid, ${job.jobId}::uuid, ${run.retryOf}::uuid,
            ${run.visibility}, ${JSON.stringify(run.agent)}::jsonb, ${run.input}, ${jsonOrNull(run.context)}::jsonb, ${run.sessionId}::uuid,
            ${JSON.stringify(run.history)}::jsonb)`,
      { name: 'runs.accept' },
    );
  }

  /** Undefined when the run went with its workspace. */
  async begin(connection: Queryable, id: string): Promise<AgentRun | undefined> {
    const rows = await connection.query<AgentRun>(
      sql`UPDATE agent_runs SET status = 'running', started_at = coalesce(started_at, now())
          WHERE id = ${id}::uuid AND status IN ('queued', 'running') RETURNING ${RUN}`,
    );
    return rows[0];
  }

  async find(id: string): Promise<AgentRun | undefined> {
    const rows = await this.postgres.query<AgentRun>(sql`SELECT ${RUN} FROM agent_runs WHERE id = ${id}::uuid`);
    return rows[0];
  }

  /** The caller's own, or one that the workspace may see. */
  async findVisible(principal: Principal, id: string): Promise<AgentRun | undefined> {
    const rows = await this.postgres.query<AgentRun>(sql`SELECT ${RUN} FROM agent_runs WHERE id = ${id}::uuid AND ${visibleTo(principal)}`);
    return rows[0];
  }

  async list(principal: Principal, agentId: string, page: PageQuery): Promise<Page<AgentRun>> {
    const rows = await this.postgres.query<AgentRun>(
      sql`SELECT ${RUN} FROM agent_runs WHERE agent_id = ${agentId}::uuid AND ${visibleTo(principal)}${pageConditions(page)}${pageOrder(page)}`,
    );
    return pageOf(rows, page);
  }

  async steps(runId: string): Promise<AgentStep[]> {
    return this.postgres.query<AgentStep>(sql`SELECT ${STEP} FROM agent_steps WHERE run_id = ${runId}::uuid ORDER BY step`);
  }

  /** A step that is there already breaks the key: nothing is recorded twice. */
  async addStep(connection: Queryable, runId: string, number: number, step: NewStep): Promise<AgentStep> {
    const rows = await connection.query<AgentStep>(
      sql`INSERT INTO agent_steps (run_id, step, kind, model, text, calls, call_id, tool, arguments, result, error, input_tokens, output_tokens,
            seconds, started_at, finished_at)
          VALUES (${runId}::uuid, ${number}, ${step.kind}, ${step.model ?? null}, ${step.text ?? null}, ${jsonOrNull(step.calls)}::jsonb,
            ${step.callId ?? null}, ${step.tool ?? null}, ${jsonOrNull(step.arguments)}::jsonb, ${jsonOrNull(step.result)}::jsonb,
            ${jsonOrNull(step.error)}::jsonb, ${step.inputTokens ?? 0}, ${step.outputTokens ?? 0},
            ${(Date.now() - step.startedAt.getTime()) / 1000}, ${step.startedAt}, ${new Date()})
          RETURNING ${STEP}`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('A recorded step did not come back.');
    return row;
  }

  /** The steps of tools whose results the job's log tells. */
  async announced(jobId: string): Promise<Set<number>> {
    const rows = await this.postgres.query<{ step: number }>(
      sql`SELECT (data ->> 'step')::int AS step FROM job_events WHERE job_id = ${jobId}::uuid AND event = 'tool_result'`,
    );
    return new Set(rows.map(({ step }) => step));
  }

  async end(connection: Queryable, id: string, end: RunEnd): Promise<AgentRun | undefined> {
    const rows = await connection.query<AgentRun>(
      sql`UPDATE agent_runs SET status = ${end.status}, output = ${end.output}, citations = ${JSON.stringify(end.citations)}::jsonb,
            error = ${jsonOrNull(end.error)}::jsonb, finished_at = now()
          WHERE id = ${id}::uuid RETURNING ${RUN}`,
    );
    return rows[0];
  }

  /** What the model said last, for a run that ended without an answer. */
  async lastText(connection: Queryable, runId: string): Promise<string> {
    const rows = await connection.query<{ text: string }>(
      sql`SELECT text FROM agent_steps WHERE run_id = ${runId}::uuid AND kind = 'model' AND text <> '' ORDER BY step DESC LIMIT 1`,
    );
    return rows[0]?.text ?? '';
  }
}

const visibleTo = ({ workspaceId, userId }: Principal) =>
  sql`workspace_id = ${workspaceId}::uuid AND (owner_id = ${userId}::uuid OR visibility = 'workspace')`;

const jsonOrNull = (value: unknown): string | null => (value === undefined || value === null ? null : JSON.stringify(value));
