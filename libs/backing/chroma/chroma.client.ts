import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { ChromaClient as Driver } from 'chromadb' with { 'resolution-mode': 'import' };
import { ServiceGuard } from '@kernel/calls';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { notChroma, notConnected, translated } from './chroma.error';

const DEADLINE_MS = 5_000;
/** The first interface with what the adapter uses: API v2 and configurations that can be read back. Every later server says `1.0.0` of itself. */
const OLDEST = [1, 0];
/** The server has no users: isolation is the platform's own. */
const PLACE = { tenant: 'default_tenant', database: 'default_database' };

type DriverFor = (signal: AbortSignal) => Driver;

/**
 * The one door to the Chroma server of CHROMA_URL. The driver is loaded by the first call; connections are the process's own pool of kept HTTP
 * connections. A call that the network broke is repeated once, for every call here may be; then the server counts as gone until a probe finds it.
 * Errors: `unavailable` (unreachable, too old, no Chroma), `timeout` (5 s), `internal` (it refuses what it was sent).
 */
@Injectable()
export class ChromaClient implements OnApplicationShutdown {
  private readonly url?: string;
  private readonly guard = new ServiceGuard({ service: 'Chroma', deadlineMs: DEADLINE_MS, ping: (signal) => this.ask(signal) });
  private driver?: Promise<DriverFor>;
  private version?: string;
  private batchSize?: number;

  constructor({ chroma }: AppConfig) {
    this.url = chroma.url;
  }

  /** Whether the settings name a server at all. */
  get configured(): boolean {
    return this.url !== undefined;
  }

  /** Throws `unavailable` while the server is known to be away. */
  assertReachable(): void {
    if (this.url === undefined) throw notConnected();
    this.guard.assertClosed();
  }

  /** Runs calls of the driver within one deadline. What `work` does may be done twice. */
  call<T>(work: (driver: Driver) => Promise<T>): Promise<T> {
    return this.guard.call(async (signal) => {
      try {
        return await this.attempt(work, signal);
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'unavailable' && error.retryable) || signal.aborted) throw error;
        return await this.attempt(work, signal).catch((second: unknown) => {
          if (second instanceof AppError && second.code === 'unavailable' && !signal.aborted) this.guard.trip(second);
          throw second;
        });
      }
    });
  }

  /** Whether the server answers and is one that can be used; where it is not, calls fail at once from now on. */
  async ping(): Promise<void> {
    try {
      await this.ask(AbortSignal.timeout(DEADLINE_MS));
    } catch (error) {
      this.guard.trip(error);
      throw error;
    }
  }

  /** Records that the server takes at once. */
  async mostAtOnce(): Promise<number> {
    this.batchSize ??= await this.call((driver) => driver.getMaxBatchSize());
    return this.batchSize;
  }

  onApplicationShutdown(): void {
    this.guard.close();
  }

  private async attempt<T>(work: (driver: Driver) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.version === undefined) await this.ask(signal);
    const driver = await this.load();
    try {
      return await work(driver(signal));
    } catch (error) {
      throw translated(error);
    }
  }

  private async ask(signal: AbortSignal): Promise<void> {
    if (this.url === undefined) throw notConnected();
    const driver = (await this.load())(signal);
    try {
      await driver.heartbeat();
      this.version ??= accepted(await driver.version());
    } catch (error) {
      const fault = translated(error);
      // Nobody but Chroma lacks these answers.
      throw fault.code === 'unavailable' ? fault : notChroma(error);
    }
  }

  /** A driver is a few objects over the shared connections; each call gets one that stops with it. */
  private load(): Promise<DriverFor> {
    this.driver ??= import('chromadb').then(({ ChromaClient: Base }) => {
      const { hostname, port, protocol } = new URL(this.url ?? '');
      const ssl = protocol === 'https:';
      const address = { host: hostname, port: port === '' ? (ssl ? 443 : 80) : Number(port), ssl, ...PLACE };
      let checks: Awaited<ReturnType<Driver['getPreflightChecks']>> | undefined;
      // What the server says of itself is asked once, not by every call.
      class CallDriver extends Base {
        override async getPreflightChecks() {
          checks ??= await super.getPreflightChecks();
          return checks;
        }
      }
      return (signal: AbortSignal) => new CallDriver({ ...address, fetchOptions: { signal } });
    });
    return this.driver;
  }
}

function accepted(version: unknown): string {
  if (typeof version !== 'string' || !/^\d+\.\d+/.test(version)) throw notChroma();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return version;
  throw new AppError('unavailable', `CHROMA_URL names a Chroma ${version.slice(0, 20)}: ${OLDEST.join('.')} or newer is needed.`, {
    retryable: false,
  });
}
