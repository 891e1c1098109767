/** What a process without an HTTP API of its own answers under /livez and /readyz, beside its metrics. */
export abstract class Probes {
  abstract ready(): Promise<boolean>;
}
