import { DeltaWriter, type JobContext } from '@features/jobs';
import type { Citation } from '@features/chat';
import type { UsageAccount } from '@features/models';
import type { ModelCard } from '@kernel/models';
import type { AgentRunPayload } from '../agents.jobs';
import type { AgentRun } from '../run.entity';
import type { RunBudget } from './run-budget';
import type { RunJournal } from './run-journal';

/** An answer as the run keeps it; all deltas of the attempt joined are `output`. */
export interface FinishedRun {
  output: string;
  citations: Citation[];
}

/** One attempt of a run: what its loop works with. */
export class RunExecution {
  sent = '';
  private readonly deltas: DeltaWriter;

  readonly run: AgentRun;
  readonly card: ModelCard;
  readonly journal: RunJournal;
  readonly budget: RunBudget;
  /** Aborts when the job's signal does and when the run's seconds are over. */
  readonly signal: AbortSignal;

  constructor(
    readonly context: JobContext<AgentRunPayload>,
    parts: Pick<RunExecution, 'run' | 'card' | 'journal' | 'budget' | 'signal'>,
  ) {
    this.run = parts.run;
    this.card = parts.card;
    this.journal = parts.journal;
    this.budget = parts.budget;
    this.signal = parts.signal;
    this.deltas = new DeltaWriter(context);
  }

  get account(): UsageAccount {
    const { workspaceId, ownerId: userId, apiKeyId, jobId } = this.context;
    return { workspaceId, userId, apiKeyId, jobId };
  }

  async delta(text: string): Promise<void> {
    this.sent += text;
    await this.deltas.write(text);
  }

  /** Sends what the attempt has not sent of the answer, and waits until all is committed. */
  async finish(output: string): Promise<void> {
    await this.delta(output.slice(this.sent.length));
    await this.deltas.flush();
  }

  /** After what was said before it. */
  async progress(message: string): Promise<void> {
    await this.deltas.flush();
    const { steps } = this.run.agent.limits;
    await this.context.progress({
      done: this.journal.steps.length,
      total: Math.max(steps, this.journal.steps.length),
      unit: 'steps',
      message,
    });
  }
}
