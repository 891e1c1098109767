import { EventEmitter } from 'node:events';
import { isNativeError } from 'node:util/types';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type Consul from 'consul';
import { ServiceGuard } from '@kernel/calls';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { consulFault, leaderOf } from './consul.error';

/** The agent is near: it answers in a millisecond, or it is in trouble. */
const DEADLINE_MS = 1_000;
/** Seconds for which a question may wait for news, and the milliseconds after which no answer to it is to be expected any more. */
const NEWS_SECONDS = 10;
const NEWS_MS = 12_000;

/** An entry that was critical for so long belongs to a process that is gone and did not say so. */
const ENTERED = { status: 'passing', deregistercriticalserviceafter: '10m' };

/** What every call of the driver takes beside its own options; its types do not say so. */
interface Context {
  token?: string;
  ctx: EventEmitter & { includeResponse: boolean };
}

/** How a service is entered: `http` is asked by the agent; with `ttlSeconds` the service says by itself that it is well. */
export interface Entry {
  id: string;
  name: string;
  address: string;
  port: number;
  tags: string[];
  check: { http: string; intervalSeconds: number; timeoutSeconds: number } | { ttlSeconds: number };
}

/** An answer about a service, and the index at which it was true. */
export interface Instances {
  urls: string[];
  index: string;
}

/** An entry of `/v1/health/service`, as far as it is read. */
interface Found {
  Node: { Address: string };
  Service: { Address: string; Port: number; Meta?: Record<string, string> | null };
}

/**
 * The one door to the Consul agent of CONSUL_URL: kept connections, a deadline for each call, a breaker that a probe closes. The driver is loaded by
 * the first call. Errors: `unavailable` and `timeout` (the agent is away), `forbidden` naming CONSUL_TOKEN (refused).
 */
@Injectable()
export class ConsulClient implements OnApplicationShutdown {
  private readonly url?: string;
  private readonly token?: string;
  private readonly guard = new ServiceGuard({
    service: 'Consul',
    deadlineMs: DEADLINE_MS,
    ping: async (signal) => leaderOf(await this.cancellable(signal, (consul, ctx) => consul.status.leader({ ...ctx }))),
  });
  private readonly closing = new AbortController();
  private driver?: Promise<Consul>;

  constructor({ consul }: AppConfig) {
    this.url = consul.url;
    this.token = consul.token;
  }

  /** Whether the settings name an agent at all. */
  get configured(): boolean {
    return this.url !== undefined;
  }

  /** Resolves when the agent knows a leader. */
  async ping(): Promise<void> {
    leaderOf(await this.ask((consul, ctx) => consul.status.leader({ ...ctx })));
  }

  /** An entry under the same id is replaced; one that is new counts as well, since who enters itself has just become ready. */
  async register({ check, ...service }: Entry): Promise<void> {
    await this.ask((consul, ctx) => consul.agent.service.register({ ...service, check: checkOf(service.name, check), ...ctx }));
  }

  /** Whether the agent still knows the entry: one that was started anew may not. */
  async knows(id: string): Promise<boolean> {
    const found = await this.ask((consul, ctx) => consul.agent.service.list({ filter: `ID == ${JSON.stringify(id)}`, ...ctx }));
    return Object.hasOwn(found, id);
  }

  /** Also when it is not there any more. */
  async deregister(id: string): Promise<void> {
    await this.ask((consul, ctx) => consul.agent.service.deregister({ id, ...ctx })).catch((error: unknown) => {
      if (!(error instanceof AppError && error.code === 'not_found')) throw error;
    });
  }

  /** The entry says of itself that it is well. Errors: `not_found` when the agent does not know it. */
  async pass(id: string): Promise<void> {
    await this.ask((consul, ctx) => consul.agent.check.pass({ id: `service:${id}`, ...ctx }));
  }

  /** The healthy instances of a service: at once without an index, else as soon as they are others than at that index, or after 10 s. */
  async instances(service: string, index: string | undefined, signal: AbortSignal): Promise<Instances> {
    const wait = index === undefined ? {} : { index, wait: `${NEWS_SECONDS}s` };
    const answer: unknown = await this.ask(
      (consul, { ctx }) => {
        ctx.includeResponse = true;
        const question = { service, passing: true, ...wait, ctx };
        return consul.health.service(question);
      },
      { signal: AbortSignal.any([signal, this.closing.signal]), milliseconds: index === undefined ? DEADLINE_MS : NEWS_MS },
    );
    const [{ headers }, found] = answer as [{ headers: Record<string, string | undefined> }, Found[]];
    return { urls: [...new Set(found.map(urlOf))].sort(), index: headers['x-consul-index'] ?? '0' };
  }

  async onApplicationShutdown(): Promise<void> {
    this.closing.abort();
    this.guard.close();
    await this.driver?.then((consul) => consul.destroy()).catch(() => undefined);
  }

  private async ask<T>(
    work: (consul: Consul, ctx: Context) => Promise<T>,
    options: { signal?: AbortSignal; milliseconds?: number } = {},
  ): Promise<T> {
    if (this.url === undefined) throw new AppError('unavailable', 'CONSUL_URL is not set.', { retryable: false });
    return this.guard.call((signal) => this.cancellable(signal, work), options);
  }

  /** The driver knows no signals: it listens to an emitter. Of its errors only the kind is kept. */
  private async cancellable<T>(signal: AbortSignal, work: (consul: Consul, ctx: Context) => Promise<T>): Promise<T> {
    const ctx = Object.assign(new EventEmitter(), { includeResponse: false });
    const cancel = (): void => void ctx.emit('cancel');
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const answer = await work(await this.load(), { ctx });
      // An error that was made in another realm is no Error to the driver, and becomes its answer.
      if (isNativeError(answer)) throw answer;
      return answer;
    } catch (error) {
      throw consulFault(error);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  private load(): Promise<Consul> {
    this.driver ??= import('consul').then(({ default: Driver }) => {
      const { protocol, hostname, port } = new URL(this.url ?? '');
      const secure = protocol === 'https:';
      return new Driver({ host: hostname, port: Number(port) || (secure ? 443 : 80), secure, defaults: { token: this.token } });
    });
    return this.driver;
  }
}

function checkOf(name: string, check: Entry['check']) {
  if ('ttlSeconds' in check) return { name, ttl: `${check.ttlSeconds}s`, timeout: '', ...ENTERED };
  return { name, http: check.http, interval: `${check.intervalSeconds}s`, timeout: `${check.timeoutSeconds}s`, ...ENTERED };
}

/** A server may say in its entry that it is to be called by `https`. */
function urlOf({ Node: { Address: node }, Service: { Address: own, Port: port, Meta: meta } }: Found): string {
  const address = own === '' ? node : own;
  return `${meta?.scheme === 'https' ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}
