import { hostname } from 'node:os';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DataDirectory } from '@backing/data-directory';
import { JobHandlers } from '@features/jobs';
import { AppConfig, releaseVersion } from '@kernel/config';
import { ProcessesRepository } from './processes.repository';

const BEAT_MS = 3_000;

/**
 * Says every 3 s that this process works on the database, and hears how many others do. Only a database that several processes can share is told:
 * the embedded one has one process.
 */
@Injectable()
export class Heartbeat implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private others = 0;
  private beats?: NodeJS.Timeout;
  private beating?: Promise<void>;

  constructor(
    private readonly config: AppConfig,
    private readonly processes: ProcessesRepository,
    private readonly handlers: JobHandlers,
    private readonly directory: DataDirectory,
  ) {}

  /** What several processes do not share although they should, in words for people. */
  get reasons(): string[] {
    const apart = this.config.role === 'api' && this.config.redis.url === undefined && this.others > 0;
    return apart ? ['limits per process'] : [];
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.config.database.url === undefined) return;
    this.beats = setInterval(() => void this.beat(), BEAT_MS);
    this.beats.unref();
    await this.beat();
  }

  /** Before the database is closed. What cannot be removed now is forgotten by the others. */
  async beforeApplicationShutdown(): Promise<void> {
    if (this.beats === undefined) return;
    clearInterval(this.beats);
    await this.beating;
    await this.processes.remove(this.directory.instanceId).catch(() => undefined);
  }

  /** One at a time; that the database is away is said elsewhere. */
  beat(): Promise<void> {
    this.beating ??= this.say().finally(() => {
      this.beating = undefined;
    });
    return this.beating;
  }

  private async say(): Promise<void> {
    const { role, rabbitmq } = this.config;
    const runsJobs = role === 'worker' || rabbitmq.url === undefined;
    const kinds = runsJobs ? this.handlers.known() : [];
    const id = this.directory.instanceId;
    const seconds = Math.round(process.uptime());
    try {
      this.others = await this.processes.beat({ id, role, host: hostname(), pid: process.pid, version: releaseVersion(), kinds, seconds });
    } catch {
      // What was heard last stays.
    }
  }
}
