import { Injectable } from '@nestjs/common';
import { Limits, type LimitAnswer } from '@kernel/limits';

const MINUTE = 60_000;
/** Keys counted in one minute; beyond that the oldest is forgotten, so that memory stays bounded under any flood. */
const MOST_KEYS = 100_000;

/** Counts requests per key in fixed windows of one minute, in this process. All windows turn at once, on the minute of `now` (ms). */
@Injectable()
export class MemoryLimits extends Limits {
  private readonly counts = new Map<string, number>();
  private window = 0;
  protected readonly now: () => number = Date.now;

  async take(key: string, perMinute: number): Promise<LimitAnswer> {
    const now = this.now();
    const window = Math.floor(now / MINUTE);
    if (window !== this.window) {
      this.window = window;
      this.counts.clear();
    }
    const taken = this.counts.get(key) ?? 0;
    const resetSeconds = Math.max(1, Math.ceil(((window + 1) * MINUTE - now) / 1_000));
    if (taken >= perMinute) return { allowed: false, limit: perMinute, remaining: 0, resetSeconds };
    this.counts.set(key, taken + 1);
    if (this.counts.size > MOST_KEYS) this.forgetOldest();
    return { allowed: true, limit: perMinute, remaining: perMinute - taken - 1, resetSeconds };
  }

  private forgetOldest(): void {
    const [oldest] = this.counts.keys();
    if (oldest !== undefined) this.counts.delete(oldest);
  }
}
