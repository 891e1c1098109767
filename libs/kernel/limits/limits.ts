export interface LimitAnswer {
  allowed: boolean;
  /** Requests per minute. */
  limit: number;
  remaining: number;
  /** Whole seconds until the window is fresh, 1..60. */
  resetSeconds: number;
}

/** Port: counts requests per key and minute (memory in one process, Redis over replicas). */
export abstract class Limits {
  abstract take(key: string, perMinute: number): Promise<LimitAnswer>;
}
