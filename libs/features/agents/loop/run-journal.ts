import type { JobContext } from '@features/jobs';
import type { ToolCall } from '@kernel/models';
import { z } from 'zod';
import type { AgentRunPayload } from '../agents.jobs';
import type { AgentStep, NewStep } from '../run.entity';
import type { RunsRepository } from '../runs.repository';

const checkpoint = z.object({ step: z.int(), attempt: z.int() });

/**
 * The finished steps of a run. Each is committed together with the job's checkpoint before the next begins, so an attempt that takes over goes on
 * after the last of them and does none again; what the log does not tell yet of the steps of an earlier attempt is told first.
 */
export class RunJournal {
  private constructor(
    private readonly context: JobContext<AgentRunPayload>,
    private readonly repository: RunsRepository,
    readonly steps: AgentStep[],
    private progressed: number,
  ) {}

  static async open(context: JobContext<AgentRunPayload>, repository: RunsRepository): Promise<RunJournal> {
    const steps = await repository.steps(context.payload.run_id);
    const journal = new RunJournal(context, repository, steps, checkpoint.safeParse(context.checkpoint).data?.attempt ?? 0);
    const told = steps.some(({ kind }) => kind === 'tool') ? await repository.announced(context.jobId) : new Set<number>();
    for (const step of steps) if (step.kind === 'tool' && !told.has(step.step)) await journal.announce(step);
    return journal;
  }

  /** Attempts since the last one that finished a step, this one included; 0 when this one did. */
  get inVain(): number {
    return this.context.attempt - this.progressed;
  }

  get next(): number {
    return this.steps.length + 1;
  }

  get last(): AgentStep | undefined {
    return this.steps.at(-1);
  }

  get lastModel(): AgentStep | undefined {
    return this.steps.findLast(({ kind }) => kind === 'model');
  }

  /** The first call that the model asked for and that has no result yet. */
  get pending(): ToolCall | undefined {
    const asked = this.lastModel;
    if (asked === undefined) return undefined;
    const answered = new Set(this.steps.filter(({ step }) => step > asked.step).map(({ callId }) => callId));
    return asked.calls?.find(({ id }) => !answered.has(id));
  }

  async record(step: NewStep): Promise<AgentStep> {
    const { run_id: runId } = this.context.payload;
    const number = this.next;
    const { attempt } = this.context;
    const recorded = await this.context.transaction((connection) => this.repository.addStep(connection, runId, number, step), {
      step: number,
      attempt,
    } satisfies z.infer<typeof checkpoint>);
    this.progressed = attempt;
    this.steps.push(recorded);
    return recorded;
  }

  async announce({ step, tool, result, error }: AgentStep): Promise<void> {
    await this.context.emit('tool_result', { step, tool, ...(error === null ? { result } : { error }) });
  }
}
