/** What a check found, under the service's name. */
export interface IndicatorAnswer {
  status: string;
  /** Milliseconds that the check really took. */
  responseTime?: number;
  message?: string;
  /** True when the indicator answered from its own cache: nothing was asked now. */
  cachedResponse?: boolean;
  /** Figures that say more than the status: how many are alive, how old the oldest is. */
  details?: Readonly<Record<string, number>>;
}

/**
 * How a backing lib tells the state of its service: over the shared client, never by a new connection, within 1 s, never throwing because the
 * service is down.
 */
export interface ServiceIndicator {
  /** As in the contract's list: `postgres`, `redis` … */
  readonly name: string;
  /** What does the work now: `postgres`, `embedded` … */
  readonly driver: string;
  /** Without it the platform answers nothing. */
  readonly required: boolean;
  /** False: the settings do not name the service. */
  readonly enabled?: boolean;
  check(): PromiseLike<Record<string, IndicatorAnswer>>;
}
