import { Injectable } from '@nestjs/common';
import { sqlState } from '@backing/postgres';
import { ChatMessages } from '@features/chat';
import { Jobs, type StoredJob } from '@features/jobs';
import { Models } from '@features/models';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { ChatTurn } from '@kernel/models';
import type { Page, PageQuery } from '@kernel/paging';
import { v7 } from 'uuid';
import { agentsRun } from './agents.jobs';
import { Agents } from './agents.service';
import type { Agent, AgentSnapshot } from './agent.entity';
import type { AgentRun, AgentStep } from './run.entity';
import { RunsRepository, type NewRun } from './runs.repository';

export interface RunInput {
  input: string;
  sessionId?: string;
  context?: unknown;
  visibility?: 'private' | 'workspace';
}

const FOREIGN_KEY_VIOLATION = '23503';
/** Messages of a session that a run is told. */
const MOST_HISTORY = 20;

/**
 * Runs of agents, private to their maker unless shared with the workspace. A run is accepted in one statement with its job and a snapshot of the agent.
 * Errors: `not_found` (agent, run, session), `invalid` (model), `unavailable` (model missing).
 */
@Injectable()
export class AgentRuns {
  constructor(
    private readonly repository: RunsRepository,
    private readonly agents: Agents,
    private readonly jobs: Jobs,
    private readonly models: Models,
    private readonly messages: ChatMessages,
  ) {}

  async start(principal: Principal, agentId: string, input: RunInput, requestId: string | null): Promise<AgentRun> {
    const agent = await this.agents.get(principal, agentId);
    const card = await this.models.resolve('chat', agent.model ?? undefined);
    const history = input.sessionId === undefined ? [] : await this.history(principal, input.sessionId);
    const run: NewRun = {
      id: v7(),
      workspaceId: principal.workspaceId,
      ownerId: principal.userId,
      agentId: agent.id,
      retryOf: null,
      visibility: input.visibility ?? 'private',
      agent: snapshot(agent, card.id),
      input: input.input,
      context: input.context ?? null,
      sessionId: input.sessionId ?? null,
      history,
    };
    await this.accept(principal, run, requestId, undefined);
    return this.get(principal, run.id);
  }

  async list(principal: Principal, agentId: string, page: PageQuery): Promise<Page<AgentRun>> {
    const agent = await this.agents.get(principal, agentId);
    return this.repository.list(principal, agent.id, page);
  }

  async get(principal: Principal, id: string): Promise<AgentRun> {
    const run = await this.repository.findVisible(principal, id);
    if (run === undefined) throw AppError.notFound('The run');
    return run;
  }

  async steps(principal: Principal, id: string): Promise<AgentStep[]> {
    return this.repository.steps((await this.get(principal, id)).id);
  }

  /** A new run of the same snapshot with the same input, for a failed or cancelled one. */
  async again(principal: Principal, job: StoredJob, requestId: string | null): Promise<{ jobId: string }> {
    const before = await this.repository.find(agentsRun.payload.parse(job.payload).run_id);
    if (before === undefined) throw AppError.notFound('The run');
    if (before.agentId === null) throw new AppError('conflict', 'The agent of this run was deleted.');
    await this.models.resolve('chat', before.agent.model);
    return {
      jobId: await this.accept(principal, { ...before, id: v7(), ownerId: principal.userId, retryOf: before.id }, requestId, job.id),
    };
  }

  private async accept(principal: Principal, run: NewRun, requestId: string | null, retryOf: string | undefined): Promise<string> {
    await this.jobs.assertRoom(principal, agentsRun);
    const { workspaceId, ownerId, visibility } = run;
    const job = this.jobs.acceptance(
      agentsRun,
      { run_id: run.id },
      {
        workspaceId,
        ownerId,
        visibility,
        apiKeyId: principal.keyId ?? null,
        subjectId: run.agentId ?? undefined,
        requestId,
        retryOf,
        accepted: { run_id: run.id },
      },
    );
    try {
      await this.repository.accept(run, job);
    } catch (error) {
      if (sqlState(error).code === FOREIGN_KEY_VIOLATION) throw AppError.notFound('The agent');
      throw error;
    }
    this.jobs.wake();
    return job.jobId;
  }

  /** The finished questions and answers of the session's active branch. */
  private async history(principal: Principal, sessionId: string): Promise<ChatTurn[]> {
    const { data } = await this.messages.list(principal, sessionId, { limit: MOST_HISTORY, order: 'desc' });
    const told = data.reverse().filter(({ active, status }) => active && status === 'complete');
    return told.flatMap(({ role, content }, index): ChatTurn[] => {
      const next = told[index + 1];
      return role === 'user' && next?.role === 'assistant'
        ? [
            { role, content },
            { role: 'assistant', content: next.content },
          ]
        : [];
    });
  }
}

function snapshot(
  { id, version, name, strategy, instructions, tools, collections, outputSchema, limits }: Agent,
  model: string,
): AgentSnapshot {
  return { id, version, name, strategy, instructions, model, tools, collections, outputSchema, limits };
}
