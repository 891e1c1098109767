/** Milliseconds that one step may take: an abort takes effect, and another question gets its turn, between two of them. */
const STEP_MS = 100;
/** Tokens. Steps are whole multiples of the least one; with fewer the weights are read too often. */
export const LEAST_STEP = 8;
export const MOST_STEP = 64;

/** How many tokens of a prompt are read in one step: as many as this machine manages in the time, by the steps before. */
export class ReadingPace {
  private tokens = LEAST_STEP;

  get step(): number {
    return this.tokens;
  }

  /** `milliseconds` were needed for `tokens`. The pace at most doubles, so that one lucky step is not followed by one that is much too long. */
  took(tokens: number, milliseconds: number): void {
    const affordable = (STEP_MS / Math.max(milliseconds, 1)) * tokens;
    const whole = Math.floor(Math.min(affordable, 2 * this.tokens, MOST_STEP) / LEAST_STEP) * LEAST_STEP;
    this.tokens = Math.max(LEAST_STEP, whole);
  }
}
