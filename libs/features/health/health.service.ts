import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { releaseVersion } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { ServiceIndicators } from './service-indicators';
import { disabled, type ServiceReport } from './service-report';
import { ServiceWatch } from './service-watch';

/** The services of the full deployment, in the contract's order; one without an indicator cannot be used by this release yet. */
const SERVICES = ['postgres', 'redis', 'rabbitmq', 'neo4j', 'chroma', 'qdrant', 'faiss', 'consul', 'ollama', 'kong'];
/** Between requests a change of state is seen after at most so many milliseconds. */
const ROUND_MS = 5_000;

export interface HealthSummary {
  status: 'ok' | 'degraded' | 'unavailable';
  version: string;
  uptimeSeconds: number;
}

/**
 * The state of every service, by the indicators of the backing libs: each pings its shared client within 1 s, all side by side, and one answer
 * serves everybody for 2 s. What the settings name is also looked at every 5 s when nobody asks, so that `since` is true within that time.
 * Nothing here throws because a service is down.
 */
@Injectable()
export class Health implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly version = releaseVersion();
  private readonly watches: readonly ServiceWatch[];
  private readonly startedAt = new Date();
  private rounds?: NodeJS.Timeout;

  constructor(indicators: ServiceIndicators) {
    this.watches = indicators.all.map((indicator) => new ServiceWatch(indicator));
  }

  onApplicationBootstrap(): void {
    const watched = this.watches.filter((one) => one.watched);
    if (watched.length === 0) return;
    this.rounds = setInterval(() => watched.forEach((one) => void one.report()), ROUND_MS);
    this.rounds.unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.rounds);
  }

  async summary(): Promise<HealthSummary> {
    return { status: overall(await this.services()), version: this.version, uptimeSeconds: Math.floor(process.uptime()) };
  }

  async services(): Promise<ServiceReport[]> {
    return [...(await Promise.all(SERVICES.map((name) => this.reportOf(name)))), this.workers()];
  }

  /** Errors: `not_found` for a name that is no service. */
  async service(name: string): Promise<ServiceReport> {
    if (name === 'workers') return this.workers();
    if (!SERVICES.includes(name)) throw AppError.notFound('A service of this name');
    return this.reportOf(name);
  }

  private async reportOf(name: string): Promise<ServiceReport> {
    return this.watches.find((one) => one.name === name)?.report() ?? disabled(name);
  }

  /** Jobs are worked on in this very process, which is there to say so. */
  private workers(): ServiceReport {
    return {
      name: 'workers',
      status: 'up',
      driver: 'in-process',
      required: true,
      latencyMs: 0,
      checkedAt: new Date(),
      since: this.startedAt,
    };
  }
}

export function overall(services: ServiceReport[]): HealthSummary['status'] {
  if (services.some(({ required, status }) => required && status === 'down')) return 'unavailable';
  return services.every(({ status }) => status === 'up' || status === 'disabled') ? 'ok' : 'degraded';
}
