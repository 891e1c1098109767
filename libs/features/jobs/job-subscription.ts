/** One reader's ear: remembers that something happened, however often, until it is asked. */
export class JobSubscription {
  private raised = false;
  private resume?: () => void;

  constructor(readonly close: () => void) {}

  raise(): void {
    this.raised = true;
    this.resume?.();
  }

  /** Resolves at the next word of the job (at once when there was one since the last call), after `milliseconds`, or when the signal aborts. */
  async next(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (!this.raised && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.resume = () => {
          clearTimeout(timer);
          resolve();
        };
        signal.addEventListener('abort', this.resume, { once: true });
      });
      if (this.resume !== undefined) signal.removeEventListener('abort', this.resume);
      this.resume = undefined;
    }
    this.raised = false;
  }
}
