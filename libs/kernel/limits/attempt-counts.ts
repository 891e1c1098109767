/** Port: counts tries per key in a sliding window, for what nobody has proved a right to yet (memory in one process, Redis over replicas). */
export abstract class AttemptCounts {
  /** Counts one try, unless `limit` lie within the last `seconds`. Answers the milliseconds until there is room; 0: it was counted. */
  abstract take(key: string, limit: number, seconds: number): Promise<number>;
  /** Uncounts the latest try of a key. */
  abstract giveBack(key: string): Promise<void>;
}
