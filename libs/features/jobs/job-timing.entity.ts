/** The times of the jobs: one object, so that tests can shorten them. */
export class JobTiming {
  /** How long a claim holds without a heartbeat. */
  readonly leaseMs: number = 15_000;
  readonly heartbeatMs: number = 5_000;
  /** How often it is asked which running jobs others have cancelled, should no word of it come. */
  readonly cancelPollMs: number = 500;
  /** How often it is asked whether the maker of a running job may still have it done. */
  readonly standingMs: number = 1_500;
  /** Full jitter between 0 and base x 2^(attempt - 1), capped, and never under the base. */
  readonly backoffBaseMs: number = 1_000;
  readonly backoffCapMs: number = 30_000;
  /** How often the relay and the sweep look without being woken. */
  readonly pollMs: number = 1_000;
  /** How long the relay owns an outbox row that it publishes. */
  readonly publishMs: number = 5_000;
  /** After this long without an outbox row a queued job counts as lost on its way, unless messages of its lane wait. */
  readonly redispatchMs: number = 5_000;
  /** How long running handlers get to stop when the process shuts down. */
  readonly drainMs: number = 3_000;
  /** How often a reader looks into the log without being woken. */
  readonly readPollMs: number = 250;
  /** How long a reader stays while the database does not answer: a client that is sent away by an outage may not come again. */
  readonly readPatienceMs: number = 60_000;
  /** The least time between two `queued` events of a job. */
  readonly queuedEventMs: number = 5_000;
  readonly retentionMs: number = 3_600_000;

  constructor(changes: Partial<JobTiming> = {}) {
    Object.assign(this, changes);
  }

  /** Capped exponential backoff with full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015). */
  backoff(attempt: number, random: () => number = Math.random): number {
    const ceiling = Math.min(this.backoffCapMs, this.backoffBaseMs * 2 ** (attempt - 1));
    return Math.round(Math.max(this.backoffBaseMs, random() * ceiling));
  }
}
