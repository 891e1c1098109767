import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { QdrantClient as Driver } from '@qdrant/js-client-rest' with { 'resolution-mode': 'import' };
import { ServiceGuard } from '@kernel/calls';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { notConnected, notQdrant, translated } from './qdrant.error';

const DEADLINE_MS = 5_000;
const CONNECTIONS = 16;
/** The first release with the query interface. */
const OLDEST = [1, 10];
/** Asking for it costs the server nothing and needs the key. */
const NOBODY = 'sutazai_ping';

/**
 * The one door to the Qdrant server of QDRANT_URL. The driver is loaded by the first call and keeps one pool of connections. A call that the network
 * broke is repeated once, for every call here may be; then the server counts as gone until a probe finds it. Errors: `unavailable` (unreachable, too
 * old, wrong key, no Qdrant), `timeout` (5 s), `internal` (it refuses what it was sent).
 */
@Injectable()
export class QdrantClient implements OnApplicationShutdown {
  private readonly url?: string;
  private readonly apiKey?: string;
  private readonly guard = new ServiceGuard({ service: 'Qdrant', deadlineMs: DEADLINE_MS, ping: () => this.ask() });
  private driver?: Promise<Driver>;
  private version?: string;

  constructor({ qdrant }: AppConfig) {
    this.url = qdrant.url;
    this.apiKey = qdrant.apiKey;
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
        return await this.attempt(work);
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'unavailable' && error.retryable) || signal.aborted) throw error;
        return await this.attempt(work).catch((second: unknown) => {
          if (second instanceof AppError && second.code === 'unavailable' && !signal.aborted) this.guard.trip(second);
          throw second;
        });
      }
    });
  }

  /** Whether the server answers, takes the key and is one that can be used; where it is not, calls fail at once from now on. */
  async ping(): Promise<void> {
    try {
      await this.ask();
    } catch (error) {
      this.guard.trip(error);
      throw error;
    }
  }

  onApplicationShutdown(): void {
    this.guard.close();
  }

  private async attempt<T>(work: (driver: Driver) => Promise<T>): Promise<T> {
    if (this.version === undefined) await this.ask();
    const driver = await this.load();
    try {
      return await work(driver);
    } catch (error) {
      throw translated(error);
    }
  }

  private async ask(): Promise<void> {
    const driver = await this.load();
    try {
      if (this.version === undefined) {
        const { version } = await driver.versionInfo();
        this.version = accepted(version);
      }
      await driver.collectionExists(NOBODY);
    } catch (error) {
      const fault = translated(error);
      // Nobody but Qdrant lacks these answers.
      throw fault.code === 'unavailable' ? fault : notQdrant(error);
    }
  }

  private load(): Promise<Driver> {
    const { url, apiKey } = this;
    if (url === undefined) throw notConnected();
    this.driver ??= import('@qdrant/js-client-rest').then(({ QdrantClient: Base }) => {
      const { origin, port, protocol, pathname } = new URL(url);
      return new Base({
        url: origin,
        port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
        ...(pathname === '/' ? {} : { prefix: pathname }),
        // As a header: given as a key the driver warns on the console where the address is http.
        headers: apiKey === undefined ? {} : { 'api-key': apiKey },
        timeout: DEADLINE_MS,
        maxConnections: CONNECTIONS,
        checkCompatibility: false,
      });
    });
    return this.driver;
  }
}

function accepted(version: unknown): string {
  if (typeof version !== 'string' || !/^\d+\.\d+/.test(version)) throw notQdrant();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return version;
  throw new AppError('unavailable', `QDRANT_URL names a Qdrant ${version.slice(0, 20)}: ${OLDEST.join('.')} or newer is needed.`, {
    retryable: false,
  });
}
