// The server that is fuzzed: the product with scripted models, on data of its own, with a workspace in which there is something of everything.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, ServerProcess } from '../support/server.mjs';
import { Nursery } from './nursery.mjs';

const here = dirname(fileURLToPath(import.meta.url));

export class FuzzedServer {
  constructor(folder, { bugs = false } = {}) {
    this.folder = folder;
    this.hooks = [...(bugs ? ['plant-bugs.cjs'] : []), 'fuzz-model.cjs'];
  }

  async start() {
    this.metrics = await freePort();
    this.process = new ServerProcess({
      environment: {
        AUTH_REGISTRATION: 'open',
        RATE_LIMIT_PER_MINUTE: '10000000',
        LOG_LEVEL: 'error',
        METRICS_PORT: String(this.metrics),
        CHAT_MODEL: 'scripted',
        EMBEDDING_MODEL: 'scripted-embedding',
      },
      nodeFlags: this.hooks.flatMap((hook) => ['--require', join(here, hook)]),
    });
    await this.process.start();
    this.url = this.process.url;
    this.nursery = new Nursery(this.url, join(this.folder, 'nursery.json'));
    await this.nursery.begin();
  }

  get alive() {
    return this.process.child.exitCode === null && this.process.child.signalCode === null;
  }

  /** What the server itself says at the end: { requests and failures (5xx) by its own count, crashed, errors: lines of its log }. */
  async ended() {
    const crashed = !this.alive;
    await this.nursery.stop().catch((error) => {
      if (!crashed) throw error;
    });
    const counted = crashed ? { requests: 0, failures: [] } : await this.#counted();
    return { ...counted, crashed, errors: this.process.log.split('\n').filter((line) => line.includes('"level":')) };
  }

  async #counted() {
    const text = await (await fetch(`http://127.0.0.1:${this.metrics}/metrics`)).text();
    let requests = 0;
    const failures = [];
    for (const [, labels, value] of text.matchAll(/^http_request_duration_seconds_count\{([^}]*)\} (\d+)/gm)) {
      requests += Number(value);
      if (/status="5/.test(labels)) failures.push(`${labels}: ${value}`);
    }
    return { requests, failures };
  }

  async kill() {
    if (this.process?.child === undefined) return;
    if (this.alive) await this.process.kill();
    this.process.remove();
  }
}
