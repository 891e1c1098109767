import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { AttemptCounts } from '@kernel/limits';

/** The contract's range of Retry-After. */
const LONGEST_RETRY_SECONDS = 60;

/**
 * Limits what nobody has proved a right to yet: sign-ins, registrations, setup tokens. Counts attempts per key in a sliding window.
 * Errors: `rate_limited` with the seconds to wait.
 */
@Injectable()
export class Attempts {
  constructor(private readonly counts: AttemptCounts) {}

  /** Counts one attempt, or refuses it when `limit` lie within the last `seconds`. */
  async take(key: string, limit: number, seconds: number): Promise<void> {
    const wait = await this.counts.take(key, limit, seconds);
    if (wait === 0) return;
    throw new AppError('rate_limited', 'Too many attempts; wait before the next one.', {
      retryAfterSeconds: Math.min(Math.ceil(wait / 1_000), LONGEST_RETRY_SECONDS),
    });
  }

  /** Uncounts the latest attempt of a key: it proved to be rightful. */
  async giveBack(key: string): Promise<void> {
    await this.counts.giveBack(key);
  }
}
