import { masked, type IndicatorAnswer, type ServiceIndicator } from '@kernel/health';
import { disabled, type ServiceReport, type ServiceStatus } from './service-report';

/** Milliseconds for which one answer serves everybody. */
const FRESH_MS = 2_000;
/** An indicator ends its check after 1 s by itself; one that does not is not waited for much longer. */
const DEADLINE_MS = 1_100;

/** What lives and dies with this process. */
const INSIDE = new Set(['embedded', 'in-process']);

/** One service as this process sees it: at most one check at a time, whoever asks; since when its status is this one. */
export class ServiceWatch {
  private last?: ServiceReport;
  /** When the last check ended, by the process's monotonic clock. */
  private endedAt = Number.NEGATIVE_INFINITY;
  private running?: Promise<ServiceReport>;

  constructor(private readonly indicator: ServiceIndicator) {}

  get name(): string {
    return this.indicator.name;
  }

  /** The settings name a service that can go away: worth looking at between requests. */
  get watched(): boolean {
    return this.indicator.enabled !== false && !INSIDE.has(this.indicator.driver);
  }

  /** What was found less than 2 s ago, or is found now; never rejects. */
  report(): Promise<ServiceReport> {
    if (this.indicator.enabled === false) return Promise.resolve(disabled(this.indicator.name));
    if (this.running !== undefined) return this.running;
    if (this.last !== undefined && performance.now() - this.endedAt < FRESH_MS) return Promise.resolve(this.last);
    this.running = this.examine().finally(() => {
      this.running = undefined;
      this.endedAt = performance.now();
    });
    return this.running;
  }

  private async examine(): Promise<ServiceReport> {
    const { name, driver, required } = this.indicator;
    const checkedAt = new Date();
    const started = performance.now();
    const answer = await this.ask();
    const status = statusOf(answer);
    const unchanged = this.last?.status === status ? this.last : undefined;
    this.last = {
      name,
      status,
      driver,
      required,
      latencyMs: answer.responseTime ?? Math.round(performance.now() - started),
      checkedAt: answer.cachedResponse === true ? (this.last?.checkedAt ?? checkedAt) : checkedAt,
      since: unchanged?.since ?? new Date(),
      ...(answer.details === undefined ? {} : { details: answer.details }),
      ...(status === 'up' || answer.message === undefined ? {} : { error: masked(answer.message) }),
    };
    return this.last;
  }

  private async ask(): Promise<IndicatorAnswer> {
    const { name } = this.indicator;
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<Record<string, IndicatorAnswer>>((resolve) => {
      timer = setTimeout(() => resolve({ [name]: { status: 'down', message: 'The check did not end within 1 s.' } }), DEADLINE_MS);
    });
    try {
      const answers = await Promise.race([this.indicator.check(), overdue]);
      return answers[name] ?? { status: 'down' };
    } catch (error) {
      return { status: 'down', message: error instanceof Error ? error.message : String(error) };
    } finally {
      clearTimeout(timer);
    }
  }
}

function statusOf({ status }: IndicatorAnswer): ServiceStatus {
  return status === 'up' || status === 'degraded' ? status : 'down';
}
