import type { ModelActivity } from './model-runtime';

/** Milliseconds that count as recent. */
const RECENT = 60_000;

interface Work {
  at: number;
  tokens: number;
  seconds: number;
}

/** Counts what one model does: calls that run and wait, and its speed in the last minute. */
export class ActivityMeter {
  private running = 0;
  private queued = 0;
  private done: Work[] = [];

  /** Counts a call as waiting, from `start` on as running, and no more after `end`. */
  enter(): { start(): void; end(): void } {
    let state: 'queued' | 'running' | 'ended' = 'queued';
    this.queued += 1;
    return {
      start: () => {
        if (state !== 'queued') return;
        state = 'running';
        this.queued -= 1;
        this.running += 1;
      },
      end: () => {
        if (state === 'queued') this.queued -= 1;
        if (state === 'running') this.running -= 1;
        state = 'ended';
      },
    };
  }

  add(tokens: number, seconds: number): void {
    if (tokens > 0) this.done.push({ at: performance.now(), tokens, seconds });
    this.forget();
  }

  get now(): ModelActivity {
    this.forget();
    const tokens = this.done.reduce((sum, work) => sum + work.tokens, 0);
    const seconds = this.done.reduce((sum, work) => sum + work.seconds, 0);
    return { running: this.running, queued: this.queued, tokensPerSecond: seconds > 0 ? tokens / seconds : null };
  }

  private forget(): void {
    const horizon = performance.now() - RECENT;
    while ((this.done[0]?.at ?? Infinity) < horizon) this.done.shift();
  }
}
