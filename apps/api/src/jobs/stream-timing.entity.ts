/** The times of event streams: one object, so that tests can shorten them. */
export class StreamTiming {
  /** How often a quiet stream says that it is there. */
  readonly heartbeatMs: number = 10_000;
  /** A client that takes nothing for so long is left: it resumes where it was. */
  readonly stallMs: number = 30_000;
  /** Who may see a job can change while its events are read. */
  readonly sightMs: number = 1_500;
}
