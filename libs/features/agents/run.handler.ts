import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { JobHandler, type JobContext, type JobOutcome, type SettledJob, type StoredJob } from '@features/jobs';
import { Models } from '@features/models';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { AgentRuns } from './agent-runs.service';
import { agentsRun, type AgentRunPayload } from './agents.jobs';
import { LoopChoice } from './loop/loop-choice.service';
import { RunBudget } from './loop/run-budget';
import { RunExecution, type FinishedRun } from './loop/run-execution';
import { RunJournal } from './loop/run-journal';
import { runView, type RunStatus } from './run.entity';
import { RunsRepository, type RunEnd } from './runs.repository';

/** Attempts that may end one after the other without a finished step. */
const MOST_IN_VAIN = 5;

/**
 * Runs an agent. Every finished step is kept, so that an attempt that takes over goes on after it; a limit ends the run with `budget_exhausted`,
 * and what there was of an answer stays on the run.
 */
@Injectable()
export class RunHandler extends JobHandler<AgentRunPayload, FinishedRun> {
  readonly contract = agentsRun;

  constructor(
    private readonly repository: RunsRepository,
    private readonly runs: AgentRuns,
    private readonly models: Models,
    private readonly loops: LoopChoice,
  ) {
    super();
  }

  async run(context: JobContext<AgentRunPayload>): Promise<FinishedRun> {
    const run = await context.transaction((connection) => this.repository.begin(connection, context.payload.run_id));
    if (run === undefined) throw AppError.notFound('The run');
    const card = await this.models.resolve('chat', run.agent.model);
    const journal = await RunJournal.open(context, this.repository);
    const budget = new RunBudget(run.agent.limits, journal.steps);
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(budget.outOf('seconds')), budget.secondsLeft * 1000);
    try {
      const signal = AbortSignal.any([context.signal, deadline.signal]);
      return await this.loops.of(run.agent.strategy).work(new RunExecution(context, { run, card, journal, budget, signal }));
    } catch (error) {
      // A model or tool that was stopped by the deadline says that it was cancelled.
      if (deadline.signal.aborted && !context.signal.aborted) throw deadline.signal.reason;
      throw context.signal.aborted || journal.inVain < MOST_IN_VAIN ? error : givenUp(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async settle(connection: Queryable, job: SettledJob<AgentRunPayload>, outcome: JobOutcome<FinishedRun>): Promise<object> {
    const run = await this.repository.end(connection, job.payload.run_id, await this.endOf(connection, job, outcome));
    return run === undefined ? {} : runView(run);
  }

  retry(job: StoredJob, principal: Principal, requestId: string | null): Promise<{ jobId: string }> {
    return this.runs.again(principal, job, requestId);
  }

  private async endOf(connection: Queryable, job: SettledJob<AgentRunPayload>, outcome: JobOutcome<FinishedRun>): Promise<RunEnd> {
    const status: RunStatus = outcome.status;
    if (outcome.status === 'succeeded') return { status, ...outcome.result, error: null };
    const sent = await job.text(connection);
    const output = sent === '' ? await this.repository.lastText(connection, job.payload.run_id) : sent;
    return { status, output, citations: [], error: outcome.status === 'failed' ? outcome.error : null };
  }
}

/** The same failure, not to be tried again. */
function givenUp(error: unknown): AppError {
  if (error instanceof AppError) return new AppError(error.code, error.message, { retryable: false, cause: error });
  return new AppError('internal', 'The run failed unexpectedly.', { retryable: false, cause: error });
}
