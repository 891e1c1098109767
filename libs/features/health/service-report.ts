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
  /** When the check ran that found this. */
  checkedAt: Date | null;
  /** Since when the status is this one, as this process has seen it. */
  since: Date | null;
  /** Figures that say more than the status. */
  details?: Readonly<Record<string, number>>;
  /** What the last check said, without secrets; for an instance admin only. */
  error?: string;
}

/** The settings do not name the service, or this release cannot use it. */
export function disabled(name: string): ServiceReport {
  return { name, status: 'disabled', driver: null, required: false, latencyMs: null, checkedAt: null, since: null };
}
