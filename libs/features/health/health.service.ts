import { Injectable } from '@nestjs/common';
import { OllamaHealth } from '@backing/ollama';
import { PostgresHealth } from '@backing/postgres';
import { releaseVersion } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { ServiceReport, ServiceStatus } from './service-report';

/** The services of the full deployment, in the contract's order; one without an indicator cannot be used by this release yet. */
const SERVICES = ['postgres', 'redis', 'rabbitmq', 'neo4j', 'chroma', 'qdrant', 'faiss', 'consul', 'ollama', 'kong'];

export interface HealthSummary {
  status: 'ok' | 'degraded' | 'unavailable';
  version: string;
  uptimeSeconds: number;
}

interface Indicator {
  readonly name: string;
  readonly driver: string;
  readonly required: boolean;
  /** False: the settings do not name the service. */
  readonly enabled?: boolean;
  check(): PromiseLike<Record<string, IndicatorAnswer>>;
}

interface IndicatorAnswer {
  status: string;
  responseTime?: number;
  message?: string;
}

/**
 * The state of every service, by the indicators of the backing libs: each pings its shared client within 1 s, and one answer serves everybody
 * for 2 s. Nothing here throws because a service is down.
 */
@Injectable()
export class Health {
  private readonly version = releaseVersion();
  private readonly indicators: Indicator[];
  private readonly history = new Map<string, { status: ServiceStatus; since: Date }>();

  constructor(postgres: PostgresHealth, ollama: OllamaHealth) {
    this.indicators = [postgres, ollama];
  }

  async summary(): Promise<HealthSummary> {
    return { status: overall(await this.services()), version: this.version, uptimeSeconds: Math.floor(process.uptime()) };
  }

  async services(): Promise<ServiceReport[]> {
    const checked = await Promise.all(SERVICES.map((name) => this.reportOf(name)));
    return [...checked, this.workers()];
  }

  /** Errors: `not_found` for a name that is no service. */
  async service(name: string): Promise<ServiceReport> {
    const found = (await this.services()).find((report) => report.name === name);
    if (found === undefined) throw AppError.notFound('A service of this name');
    return found;
  }

  private async reportOf(name: string): Promise<ServiceReport> {
    const indicator = this.indicators.find((one) => one.name === name);
    return indicator === undefined || indicator.enabled === false ? disabled(name) : this.examine(indicator);
  }

  private async examine(indicator: Indicator): Promise<ServiceReport> {
    const answer = (await indicator.check())[indicator.name];
    const status = answer?.status === 'up' ? 'up' : answer?.status === 'degraded' ? 'degraded' : 'down';
    return {
      name: indicator.name,
      status,
      driver: indicator.driver,
      required: indicator.required,
      latencyMs: answer?.responseTime ?? null,
      checkedAt: new Date(),
      since: this.since(indicator.name, status),
      ...(status === 'up' || answer?.message === undefined ? {} : { error: answer.message }),
    };
  }

  /** Jobs are worked on in this very process, which is there to say so. */
  private workers(): ServiceReport {
    const now = new Date();
    return {
      name: 'workers',
      status: 'up',
      driver: 'in-process',
      required: true,
      latencyMs: 0,
      checkedAt: now,
      since: this.since('workers', 'up'),
    };
  }

  private since(name: string, status: ServiceStatus): Date {
    const known = this.history.get(name);
    if (known?.status === status) return known.since;
    const since = new Date();
    this.history.set(name, { status, since });
    return since;
  }
}

function disabled(name: string): ServiceReport {
  return { name, status: 'disabled', driver: null, required: false, latencyMs: null, checkedAt: null, since: null };
}

export function overall(services: ServiceReport[]): HealthSummary['status'] {
  if (services.some(({ required, status }) => required && status === 'down')) return 'unavailable';
  return services.every(({ status }) => status === 'up' || status === 'disabled') ? 'ok' : 'degraded';
}
