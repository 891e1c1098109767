import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';

/** Keys remembered; beyond it the one unused for longest is forgotten. */
const MOST_KEYS = 20_000;
/** The contract's range of Retry-After. */
const LONGEST_RETRY_SECONDS = 60;

/**
 * Limits what nobody has proved a right to yet: sign-ins, registrations, setup tokens. Counts attempts per key in a sliding window, in this process.
 * Errors: `rate_limited` with the seconds to wait.
 */
@Injectable()
export class Attempts {
  /** Times of the attempts by the monotonic clock (ms), oldest first; keys by last use. */
  private readonly taken = new Map<string, number[]>();

  /** Counts one attempt, or refuses it when `limit` lie within the last `seconds`. */
  take(key: string, limit: number, seconds: number): void {
    const now = performance.now();
    const times = (this.taken.get(key) ?? []).filter((time) => time > now - seconds * 1000);
    const oldest = times[0];
    if (times.length >= limit && oldest !== undefined) {
      const wait = Math.ceil((oldest + seconds * 1000 - now) / 1000);
      throw new AppError('rate_limited', 'Too many attempts; wait before the next one.', {
        retryAfterSeconds: Math.min(Math.max(wait, 1), LONGEST_RETRY_SECONDS),
      });
    }
    this.keep(key, [...times, now]);
  }

  /** Uncounts the latest attempt of a key: it proved to be rightful. */
  giveBack(key: string): void {
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
