import { Injectable } from '@nestjs/common';
import { AttemptCounts } from '@kernel/limits';

/** Keys remembered; beyond it the one unused for longest is forgotten. */
const MOST_KEYS = 20_000;

/** Counts tries in this process. */
@Injectable()
export class MemoryAttempts extends AttemptCounts {
  /** Times of the tries by the monotonic clock (ms), oldest first; keys by last use. */
  private readonly taken = new Map<string, number[]>();
  protected readonly now: () => number = () => performance.now();

  async take(key: string, limit: number, seconds: number): Promise<number> {
    const now = this.now();
    const times = (this.taken.get(key) ?? []).filter((time) => time > now - seconds * 1000);
    const oldest = times[0];
    if (times.length >= limit && oldest !== undefined) return Math.max(1, oldest + seconds * 1000 - now);
    this.keep(key, [...times, now]);
    return 0;
  }

  async giveBack(key: string): Promise<void> {
    const times = this.taken.get(key);
    if (times === undefined) return;
    if (times.length <= 1) this.taken.delete(key);
    else times.pop();
  }

  private keep(key: string, times: number[]): void {
    this.taken.delete(key);
    this.taken.set(key, times);
    if (this.taken.size <= MOST_KEYS) return;
    const longestUnused = this.taken.keys().next().value;
    if (longestUnused !== undefined) this.taken.delete(longestUnused);
  }
}
