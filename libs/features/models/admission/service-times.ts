/** Calls that count as recent. */
const RECENT = 32;
/** Seconds that a call is taken to last while none has ended yet. */
const UNKNOWN = 2;

/** How long the last calls of a model took. */
export class ServiceTimes {
  private readonly seconds: number[] = [];

  add(seconds: number): void {
    this.seconds.push(seconds);
    if (this.seconds.length > RECENT) this.seconds.shift();
  }

  get mean(): number {
    if (this.seconds.length === 0) return UNKNOWN;
    return this.seconds.reduce((sum, one) => sum + one, 0) / this.seconds.length;
  }
}
