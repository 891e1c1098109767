import { DeltaWriter, type JobContext } from '@features/jobs';
import type { Citation } from '../citation.entity';
import type { AnswerSink } from './answer-task';

/** Sends an answer as the events of its job: few for many pieces, and always in the order in which they were made. */
export class JobAnswerSink implements AnswerSink {
  private readonly deltas: DeltaWriter;
  private readonly thoughts: DeltaWriter;

  constructor(private readonly context: Pick<JobContext<never>, 'emit'>) {
    this.deltas = new DeltaWriter(context);
    this.thoughts = new DeltaWriter(context, 'reasoning');
  }

  async citations(list: Citation[], final: boolean): Promise<void> {
    await this.flush();
    await this.context.emit('citations', { citations: list, final });
  }

  async delta(text: string): Promise<void> {
    await this.thoughts.flush();
    await this.deltas.write(text);
  }

  async reasoning(text: string): Promise<void> {
    await this.deltas.flush();
    await this.thoughts.write(text);
  }

  /** Resolves when everything is stored; to be called at the end. */
  async flush(): Promise<void> {
    await this.thoughts.flush();
    await this.deltas.flush();
  }
}
