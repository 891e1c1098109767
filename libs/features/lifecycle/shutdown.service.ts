import type { INestApplicationContext } from '@nestjs/common';
import { ConsulRegistration } from '@backing/consul';
import type { DataDirectory } from '@backing/data-directory';
import { Readiness } from '@features/health';
import { AppConfig } from '@kernel/config';
import type { AppLog } from '@kernel/log';
import { endProcess } from './process-end';

/** A signal to the whole process group may arrive twice, once by way of the starting script: within this time it is the same one. */
const SAME_SIGNAL_MS = 1_000;
/** Seconds for gateways to see that this server is not ready any more, at most a fifth of the whole time. */
const GATEWAY_SECONDS = 5;

/**
 * Ends the process in order: not ready, out of Consul, (gateways notice,) no new connections, streams closed, jobs handed back, requests in flight answered,
 * the database closed, the directory unlocked. It has SHUTDOWN_SECONDS for it; a second signal, a second later, ends it at once.
 */
export class Shutdown {
  /** Milliseconds of the process's monotonic clock. */
  private begunAt?: number;

  constructor(
    private readonly app: INestApplicationContext,
    private readonly directory: DataDirectory,
    private readonly log: AppLog,
  ) {}

  listen(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void this.onSignal(signal));
    process.on('uncaughtException', (error) => this.onCrash(error));
    process.on('unhandledRejection', (reason) => this.onCrash(reason));
  }

  private async onSignal(signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
    if (this.begunAt !== undefined) {
      if (performance.now() - this.begunAt < SAME_SIGNAL_MS) return;
      process.exit(signal === 'SIGINT' ? 130 : 143);
    }
    this.begunAt = performance.now();
    const config = this.app.get(AppConfig);
    const overdue = setTimeout(() => {
      this.log.fatal(`Not stopped within ${config.shutdownSeconds} s: ending now. Jobs are resumed at the next start.`, 'Shutdown');
      process.exit(1);
    }, config.shutdownSeconds * 1_000);
    this.log.log({ msg: 'stopping', signal }, 'Shutdown');
    this.app.get(Readiness).drain();
    // Nobody waits for it but the end of the application, and that for a second at most.
    void this.app.get(ConsulRegistration, { strict: false }).end();
    if (config.role === 'api' && signal === 'SIGTERM' && !config.http.loopback)
      await sleep(Math.min(GATEWAY_SECONDS, config.shutdownSeconds / 5));
    try {
      await this.app.close();
      this.directory.close();
      clearTimeout(overdue);
      await endProcess(0);
    } catch (error) {
      this.onCrash(error);
    }
  }

  /** The state of the process is unknown: what is committed is safe, and the next start goes on from there. */
  private onCrash(reason: unknown): void {
    this.log.fatal(reason instanceof Error ? reason : String(reason), 'Process');
    process.exit(1);
  }
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}
