export type ServiceStatus = 'up' | 'degraded' | 'down' | 'disabled';

/** What is known about one service that the platform stands on. */
export interface ServiceReport {
  name: string;
  status: ServiceStatus;
  /** What does the work now: `postgres`, `embedded`, `in-process` …; null when the service is disabled. */
  driver: string | null;
  /** Without it the platform answers nothing. */
  required: boolean;
  latencyMs: number | null;
  checkedAt: Date | null;
  /** Since when the status is this one, as this process has seen it. */
  since: Date | null;
  /** What the last check said, for an instance admin only. */
  error?: string;
}
