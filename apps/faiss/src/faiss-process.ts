import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { DataDirectory, DirectoryError } from '@backing/data-directory';
import { FaissEngine, FaissRoutes, FaissServer, loadBinding, outgrown, SNAPSHOT_BYTES } from '@backing/faiss';
import { MetricsServer } from '@backing/prometheus';
import { type AppConfig, releaseVersion } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { AppLog } from '@kernel/log';
import { faissMetrics } from './faiss-metrics';

/** Milliseconds between two looks at the memory. */
const WATCH_MS = 5_000;
/** A child may come while its predecessor is still on its way out. */
const LOCK_TRIES = 50;
const LOCK_PAUSE_MS = 100;

/** Everything of the process that answers for one data directory; it ends by a signal, with its parent, or to begin anew with less memory. */
export class FaissProcess {
  private ending = false;

  private constructor(
    private readonly config: AppConfig,
    private readonly log: AppLog,
    private readonly directory: DataDirectory,
    private readonly engine: FaissEngine,
    private readonly face: { server: FaissServer; metrics?: MetricsServer },
  ) {}

  static async start(config: AppConfig, log: AppLog, socket: string | undefined): Promise<FaissProcess> {
    const binding = loadBinding(config.faiss.binding);
    const directory = await openDirectory(config.directory, socket === undefined ? 1 : LOCK_TRIES);
    try {
      const lost = (error: unknown): void => {
        log.fatal(error instanceof Error ? error : String(error), 'Faiss');
        process.exit(1);
      };
      const warn = (message: string): void => log.warn(message, 'Faiss');
      const engine = await FaissEngine.over(directory.path, { binding, onLost: lost, warn, snapshotBytes: SNAPSHOT_BYTES });
      return await FaissProcess.over(config, log, directory, engine, socket);
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  /** undefined on a socket file. */
  get port(): number | undefined {
    const address = this.face.server.server.address();
    return typeof address === 'object' ? (address as AddressInfo | null)?.port : undefined;
  }

  private static async over(config: AppConfig, log: AppLog, directory: DataDirectory, engine: FaissEngine, socket?: string) {
    const face: { server: FaissServer; metrics?: MetricsServer } = {
      server: new FaissServer({
        routes: new FaissRoutes(engine),
        hosts: socket === undefined && config.http.loopback ? config.http.publicHosts : undefined,
        ready: () => !service.ending,
        onError: (error) => log.error(error instanceof Error ? error : String(error), 'Faiss'),
      }),
    };
    const service: FaissProcess = new FaissProcess(config, log, directory, engine, face);
    if (socket === undefined) {
      face.metrics = faissMetrics(config, engine, { ready: async () => !service.ending });
      await face.metrics.onApplicationBootstrap();
    }
    await service.listen(socket);
    service.watch(socket !== undefined);
    return service;
  }

  private async listen(socket: string | undefined): Promise<void> {
    const { server } = this.face.server;
    const { host, port } = this.config.http;
    if (socket !== undefined && process.platform !== 'win32') rmSync(socket, { force: true });
    try {
      server.listen(socket === undefined ? { host, port } : { path: socket });
      await once(server, 'listening');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const why = code === 'EADDRINUSE' ? 'another process listens there' : `the system says ${code}`;
      const where = socket === undefined ? `port ${port} of ${host}` : 'the socket file of FAISS';
      const advice = socket === undefined ? ' Set PORT or HOST.' : '';
      throw new AppError('unavailable', `Cannot listen on ${where}: ${why}.${advice}`, { cause: error });
    }
    if (socket !== undefined && process.platform !== 'win32') chmodSync(socket, 0o600);
  }

  private watch(child: boolean): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void this.end(0));
    // Whatever happened to the parent, even kill -9: what was acknowledged is on the disk.
    if (child) process.once('disconnect', () => process.exit(0));
    if (child && !process.connected) process.exit(0);
    setInterval(() => {
      if (!outgrown(process.memoryUsage.rss(), this.engine.figures.bytes)) return;
      this.log.warn('The memory has grown far beyond what the vectors need: beginning anew from the files.', 'Faiss');
      void this.end(0);
    }, WATCH_MS).unref();
  }

  /** Answers what is owed, closes the files, unlocks the directory. A second call does nothing: the first has SHUTDOWN_SECONDS. */
  private async end(code: number): Promise<void> {
    if (this.ending) return;
    this.ending = true;
    setTimeout(() => process.exit(1), this.config.shutdownSeconds * 1_000).unref();
    await this.face.server.close();
    await this.face.metrics?.onApplicationShutdown();
    await this.engine.close();
    this.directory.close();
    process.exit(code);
  }
}

async function openDirectory(path: string, tries: number): Promise<DataDirectory> {
  for (let left = tries; ; left -= 1) {
    try {
      return DataDirectory.open(path, releaseVersion());
    } catch (error) {
      const busy = error instanceof DirectoryError && error.exitCode === 75;
      if (!busy || left <= 1) throw error;
      await delay(LOCK_PAUSE_MS);
    }
  }
}
