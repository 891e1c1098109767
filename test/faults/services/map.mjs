// The whole map for the fault runs: every real server that can run here, one API and one worker on all of them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICES, startService } from '../../../scripts/services/table.mjs';
import { ServerProcess } from '../../support/server.mjs';

/** Settings of the processes over those of the servers: the traffic must not meet a limit. */
const SETTINGS = { RATE_LIMIT_PER_MINUTE: '1000000', LOG_LEVEL: 'warn' };

/** Servers by name, and the processes of ours. `names` are those to start; PostgreSQL is always among them. */
export class FullMap {
  servers = {};

  /** `ours`: `{ environment, nodeFlags }` of the product's processes beside what the servers need, `options` of the servers' starts by name. */
  static async start(names, ours = {}) {
    const map = new this();
    map.ours = ours;
    map.directory = mkdtempSync(join(tmpdir(), 'sutazai-map-'));
    try {
      await Promise.all(
        names.map(async (name) => {
          map.servers[name] = await startService(name, ours.options?.[name]);
        }),
      );
      await map.startOurs();
      return map;
    } catch (error) {
      await map.stop();
      throw error;
    }
  }

  get settings() {
    return Object.assign(
      {},
      SETTINGS,
      this.ours.environment,
      ...Object.entries(this.servers).map(([name, server]) => SERVICES[name].settings(server)),
    );
  }

  async startOurs() {
    const common = { environment: this.settings, nodeFlags: this.ours.nodeFlags };
    this.api = new ServerProcess({ ...common, directory: join(this.directory, 'api') });
    await this.api.start();
    if (this.servers.rabbitmq === undefined) return;
    this.worker = new ServerProcess({ ...common, directory: join(this.directory, 'worker'), app: 'worker' });
    await this.worker.start();
  }

  async stopOurs() {
    for (const ours of [this.worker, this.api]) if (ours?.running) await ours.stop();
  }

  async stop() {
    await this.stopOurs();
    await Promise.allSettled(Object.values(this.servers).map((server) => server.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}
