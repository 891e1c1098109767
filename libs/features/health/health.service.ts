import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Heartbeat } from '@features/processes';
import { releaseVersion } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { ServiceIndicators } from './service-indicators';
import { disabled, type ServiceReport } from './service-report';
import { ServiceWatch } from './service-watch';

/** The services of the full deployment, in the contract's order; one without an indicator cannot be used by this release yet. */
const SERVICES = ['postgres', 'redis', 'rabbitmq', 'neo4j', 'chroma', 'qdrant', 'faiss', 'consul', 'ollama', 'kong', 'workers'];
/** Between requests a change of state is seen after at most so many milliseconds. */
const ROUND_MS = 5_000;

export interface HealthSummary {
  status: 'ok' | 'degraded' | 'unavailable';
  version: string;
  uptimeSeconds: number;
  /** Why the whole is degraded although every service is up. */
  reasons: readonly string[];
}

export type HealthDetails = Pick<HealthSummary, 'status' | 'reasons'> & { services: ServiceReport[] };

/**
 * The state of every service, by the indicators of the backing libs: each pings its shared client within 1 s, all side by side, and one answer
 * serves everybody for 2 s. What the settings name is also looked at every 5 s when nobody asks, so that `since` is true within that time.
 * Nothing here throws because a service is down.
 */
@Injectable()
export class Health implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly version = releaseVersion();
  private readonly watches: readonly ServiceWatch[];
  private rounds?: NodeJS.Timeout;

  constructor(
    indicators: ServiceIndicators,
    private readonly heartbeat: Heartbeat,
  ) {
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
    const { status, reasons } = await this.details();
    return { status, version: this.version, uptimeSeconds: Math.floor(process.uptime()), reasons };
  }

  async details(): Promise<HealthDetails> {
    const services = await this.services();
    const { reasons } = this.heartbeat;
    const status = overall(services);
    return { status: status === 'ok' && reasons.length > 0 ? 'degraded' : status, reasons, services };
  }

  services(): Promise<ServiceReport[]> {
    return Promise.all(SERVICES.map((name) => this.reportOf(name)));
  }

  /** Errors: `not_found` for a name that is no service. */
  async service(name: string): Promise<ServiceReport> {
    if (!SERVICES.includes(name)) throw AppError.notFound('A service of this name');
    return this.reportOf(name);
  }

  private async reportOf(name: string): Promise<ServiceReport> {
    return this.watches.find((one) => one.name === name)?.report() ?? disabled(name);
  }
}

export function overall(services: ServiceReport[]): HealthSummary['status'] {
  if (services.some(({ required, status }) => required && status === 'down')) return 'unavailable';
  return services.every(({ status }) => status === 'up' || status === 'disabled') ? 'ok' : 'degraded';
}
