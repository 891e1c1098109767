import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { backoff } from '@kernel/calls';
import { AppConfig, releaseVersion } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { ConsulClient, type Entry } from './consul.client';

/** The agent asks so often, and waits so long for an answer: a process that hangs is critical after 5 s. */
const HTTP_CHECK = { intervalSeconds: 3, timeoutSeconds: 2 };
const TTL_SECONDS = 9;
/** So often the entry is looked for, and entered anew when the agent has lost it. */
const LOOK_MS = 2_000;
const PASS_MS = (TTL_SECONDS * 1_000) / 3;
/** Leaving waits no longer. */
const LEAVE_MS = 1_000;
const RETRY = { baseMs: 200, capMs: 2_000 };

export interface Registered {
  port: number;
  /** The agent asks this path; without it the process says by itself that it is well. */
  path?: string;
  /** Without a path: whether it is well now. While it is not, nothing is said, and the entry becomes critical after 9 s. */
  healthy?: () => Promise<boolean>;
}

/**
 * This process in Consul's catalogue, once it is ready: `sutazai-ROLE`, under an id that stays (`ROLE-HOST-PORT`), so that a restart replaces its
 * entry. It is entered again when the agent has lost it, and tried again while the agent is away: nothing waits for it. `end` takes it out.
 */
@Injectable()
export class ConsulRegistration implements BeforeApplicationShutdown {
  /** What stands in the way of the entry, when it is no outage: a wrong token. */
  refused?: AppError;
  private readonly logger = new Logger(ConsulRegistration.name);
  private entry?: Entry;
  private entered = false;
  private healthy: () => Promise<boolean> = () => Promise.resolve(true);
  private attempt = 0;
  private timer?: NodeJS.Timeout;
  private turning: Promise<void> = Promise.resolve();
  private ending?: Promise<void>;

  constructor(
    private readonly client: ConsulClient,
    private readonly config: AppConfig,
  ) {}

  /** From now on the process is in the catalogue; answers at once. */
  begin({ port, path, healthy }: Registered): void {
    if (!this.client.configured || this.entry !== undefined) return;
    const { role } = this.config;
    const address = this.address();
    const host = address.includes(':') ? `[${address}]` : address;
    if (healthy !== undefined) this.healthy = healthy;
    this.entry = {
      id: `${role}-${address}-${port}`,
      name: `sutazai-${role}`,
      address,
      port,
      tags: [role, releaseVersion()],
      check: path === undefined ? { ttlSeconds: TTL_SECONDS } : { http: `http://${host}:${port}${path}`, ...HTTP_CHECK },
    };
    this.turn();
  }

  /** Out of the catalogue, at the beginning of the end; takes 1 s at most and never rejects. */
  end(): Promise<void> {
    this.ending ??= this.leave();
    return this.ending;
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.end();
  }

  private address(): string {
    const { consul, http } = this.config;
    if (consul.address !== undefined) return consul.address;
    return ['0.0.0.0', '::', '[::]'].includes(http.host) ? hostname() : http.host;
  }

  private turn(): void {
    this.turning = this.keep().then((milliseconds) => {
      if (this.ending !== undefined) return;
      this.timer = setTimeout(() => this.turn(), milliseconds);
      this.timer.unref();
    });
  }

  /** One look, and what it asks for; answers the milliseconds until the next. */
  private async keep(): Promise<number> {
    const { entry } = this;
    if (entry === undefined) return LOOK_MS;
    try {
      const own = 'ttlSeconds' in entry.check;
      if (!(await this.isEntered(entry, own))) await this.enter(entry);
      this.attempt = 0;
      this.refused = undefined;
      return own ? PASS_MS : LOOK_MS;
    } catch (error) {
      this.failed(error);
      return backoff(this.attempt++, RETRY);
    }
  }

  /** Who says by itself that it is well learns by that whether its entry is there. */
  private async isEntered({ id }: Entry, own: boolean): Promise<boolean> {
    if (!this.entered) return false;
    if (!own) return this.client.knows(id);
    if (!(await this.healthy().catch(() => false))) return true;
    try {
      await this.client.pass(id);
      return true;
    } catch (error) {
      if (error instanceof AppError && error.code === 'not_found') return false;
      throw error;
    }
  }

  private async enter(entry: Entry): Promise<void> {
    if (this.ending !== undefined) return;
    await this.client.register(entry);
    this.logger.log(`Registered in Consul as ${entry.id}${this.entered ? ' again' : ''}.`);
    this.entered = true;
  }

  private failed(error: unknown): void {
    const refused = error instanceof AppError && error.code !== 'unavailable' && error.code !== 'timeout' ? error : undefined;
    const words = error instanceof Error ? error.message : String(error);
    if (this.attempt === 0 || refused?.message !== this.refused?.message) this.logger.warn(`Not registered in Consul: ${words}`);
    if (refused !== undefined) this.refused = refused;
  }

  private async leave(): Promise<void> {
    clearTimeout(this.timer);
    const { entry } = this;
    if (entry === undefined) return;
    const late = delay(LEAVE_MS, 'it did not answer in time', { ref: false });
    const fault = await Promise.race([this.takeOut(entry.id), late]);
    if (fault === undefined) this.logger.log(`Left Consul as ${entry.id}.`);
    else this.logger.warn(`Still registered in Consul as ${entry.id}: ${fault}`);
  }

  /** Answers what went wrong. */
  private async takeOut(id: string): Promise<string | undefined> {
    try {
      // What is being entered now must not come after.
      await this.turning;
      if (this.entered) await this.client.deregister(id);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
