import type { HandlerEvent, JobContext } from './job.handler';

const WINDOW_MS = 50;
const TOKENS = 20;

/**
 * Joins the tokens of a model into few events: the first goes out at once, the following when 50 ms or 20 pieces have gathered.
 * `write` rejects with the failure of an earlier event, so that a lost lease stops the generation.
 */
export class DeltaWriter {
  private buffer = '';
  private pieces = 0;
  private first = true;
  private timer?: NodeJS.Timeout;
  private sending: Promise<void> = Promise.resolve();
  private failure?: { error: unknown };

  constructor(
    private readonly context: Pick<JobContext<never>, 'emit'>,
    private readonly event: HandlerEvent = 'delta',
  ) {}

  async write(text: string): Promise<void> {
    if (this.failure !== undefined) throw this.failure.error;
    if (text === '') return;
    this.buffer += text;
    this.pieces += 1;
    if (this.first || this.pieces >= TOKENS) {
      this.first = false;
      return this.flush();
    }
    this.timer ??= setTimeout(() => void this.flush().catch(() => undefined), WINDOW_MS);
  }

  /** Resolves when everything written so far is committed. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.buffer !== '') {
      const text = this.buffer;
      this.buffer = '';
      this.pieces = 0;
      this.sending = this.sending.then(() => this.send(text));
    }
    await this.sending;
    if (this.failure !== undefined) throw this.failure.error;
  }

  private async send(text: string): Promise<void> {
    if (this.failure !== undefined) return;
    await this.context.emit(this.event, { text }).catch((error: unknown) => {
      this.failure = { error };
    });
  }
}
