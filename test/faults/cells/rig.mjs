// The whole map of the cells: PostgreSQL, RabbitMQ and Redis, one API and two workers, each with failpoints and with a proxy of its own before the database
// and the broker; clients come to the API through a proxy as well.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { Client } from '../../../scripts/client.mjs';
import { family, signal } from '../../../scripts/services/processes.mjs';
import { isAlive } from '../../../scripts/toolchain/lock.mjs';
import { FaultProxy } from '../../support/fault-proxy.ts';
import { freePort, repository, ServerProcess } from '../../support/server.mjs';
import { WATCH } from '../checkers/watch.mjs';
import { Switchboard } from '../failpoints/switchboard.mjs';
import { FullMap } from '../services/map.mjs';
import { Clocks } from './clocks.mjs';
import { Disks } from './disks.mjs';

/** The lease of the rig and the poll of the sweep, and some. */
const LONGER_MS = 5_000;
/** The broker looks at its disk every ten seconds at least. */
const ALARM_MS = 25_000;
const WORKERS = ['worker1', 'worker2'];
const SCOPES = ['chat', 'documents:read', 'documents:write', 'jobs:read', 'jobs:write', 'agents:read', 'agents:write', 'agents:run'];

class ProxiedMap extends FullMap {
  processes = {};
  /** By process, then `postgres` and `rabbitmq`. */
  proxies = {};

  async startOurs() {
    await this.#make('api', 'api');
    await this.processes.api.start();
    this.door = await FaultProxy.before({ port: this.processes.api.port });
    for (const name of WORKERS) await this.#make(name, 'worker');
    await Promise.all(WORKERS.map((name) => this.processes[name].start()));
  }

  async #make(name, app) {
    const { board, environment, nodeFlags, preload } = this.ours;
    const [database, broker] = await Promise.all(['postgres', 'rabbitmq'].map((server) => FaultProxy.beforeUrl(this.servers[server].url)));
    this.proxies[name] = { postgres: database.proxy, rabbitmq: broker.proxy };
    this.processes[name] = new ServerProcess({
      environment: {
        ...this.settings,
        ...environment,
        ...board.environmentOf(name),
        ...preload?.[name],
        DATABASE_URL: database.url,
        RABBITMQ_URL: broker.url,
      },
      nodeFlags: [...board.nodeFlags, ...nodeFlags],
      directory: join(this.directory, name),
      app,
    });
    this.processes[name].port = await freePort();
  }

  async stopOurs() {
    for (const ours of Object.values(this.processes)) if (ours.running) await ours.stop();
    for (const proxy of [this.door, ...Object.values(this.proxies).flatMap((of) => Object.values(of))]) await proxy?.close();
  }
}

export class Rig {
  /** Cells, as their questions begin, in which a worker stood still. */
  paused = new Set();

  /** `clocks`: the processes' clocks can be moved. `disks`: bytes of a small disk of its own, by server. */
  static async start({ clocks = false, disks = {} } = {}) {
    const rig = new Rig();
    rig.board = await Switchboard.open();
    try {
      rig.clocks = clocks ? await Clocks.open(rig.board.directory) : undefined;
      rig.disks = Disks.mount(disks);
      rig.generationsFile = join(rig.board.directory, 'generations');
      writeFileSync(rig.generationsFile, '');
      rig.map = await ProxiedMap.start(['postgres', 'rabbitmq', 'redis'], {
        board: rig.board,
        preload: Object.fromEntries(['api', ...WORKERS].map((name) => [name, rig.clocks?.environmentOf(name)])),
        options: rig.disks.options,
        environment: { CHAT_MODEL: 'scripted', EMBEDDING_MODEL: 'scripted-embedding', GENERATIONS: rig.generationsFile },
        nodeFlags: ['--require', join(repository, 'test', 'faults', 'cells', 'model.cjs')],
      });
      rig.database = new pg.Pool({ connectionString: rig.map.servers.postgres.url, max: 2 });
      // Its server is killed as well.
      rig.database.on('error', () => undefined);
      for (const statement of WATCH) await rig.query(statement);
      await rig.#account();
      return rig;
    } catch (error) {
      process.stderr.write(rig.logs());
      await rig.stop();
      throw error;
    }
  }

  /** Past every proxy; patient while the database is away. */
  async query(text, values) {
    for (let tries = 0; ; tries += 1) {
      try {
        return (await this.database.query(text, values)).rows;
      } catch (error) {
        // SQLSTATEs of the statement's own faults; everything else is a server that is away.
        if (/^(22|23|42|P0)/.test(error.code ?? '') || tries > 100) throw error;
        await delay(100);
      }
    }
  }

  async #account() {
    const client = new Client(`http://127.0.0.1:${this.map.door.port}`);
    await client.register('cells@example.org', 'a long enough password');
    const { secret } = await client.json('POST', '/api/v1/auth/keys', { name: 'cells', scopes: SCOPES });
    client.token = secret;
    this.agent = await client.json('POST', '/api/v1/agents', { name: 'sums', model: 'scripted', tools: ['calculate'] });
    this.client = client;
  }

  get workers() {
    return WORKERS;
  }

  /** What each generation was asked, and when its last piece was made. */
  generations() {
    return readFileSync(this.generationsFile, 'utf8')
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  /** Messages that the broker has, ready and unacknowledged, by queue. */
  async queues() {
    return (await this.#broker('/api/queues')).map(({ name, messages = 0 }) => ({ name, messages }));
  }

  async #alarmed() {
    for (const deadline = performance.now() + ALARM_MS; performance.now() < deadline; await delay(100)) {
      const nodes = await this.#broker('/api/nodes');
      if (nodes.some((node) => node.disk_free_alarm === true)) return;
    }
    throw new Error('The broker has not noticed that its disk is full.');
  }

  async #broker(path) {
    const { management, credentials } = this.map.servers.rabbitmq;
    const authorization = `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`;
    const answer = await fetch(management + path, { headers: { authorization }, signal: AbortSignal.timeout(5_000) });
    return answer.json();
  }

  /** kill -9 and a new start on the same data. `name`: a process of ours or a server. */
  async killed(name) {
    const ours = this.map.processes[name];
    if (ours === undefined) {
      await this.map.servers[name].kill();
      await this.map.servers[name].restart();
      return;
    }
    await ours.kill();
    await ours.start();
  }

  /** SIGSTOP for so long, and longer (up to five seconds more) until `enough` says so. */
  async stopped(name, milliseconds, enough = () => true) {
    const pids = family(this.map.processes[name]?.child.pid ?? this.map.servers[name].pid);
    for (const pid of pids) signal(pid, 'SIGSTOP');
    await delay(milliseconds);
    for (const deadline = performance.now() + LONGER_MS; !(await enough()) && performance.now() < deadline; ) await delay(20);
    for (const pid of pids) signal(pid, 'SIGCONT');
  }

  /** Another worker is at a job whose lease has run out: who wakes now meets it in the middle of its work. */
  async takenOver() {
    return (await this.query(`SELECT FROM jobs WHERE status = 'running' AND attempt > 1`)).length > 0;
  }

  /** Every connection of the victim breaks off. */
  cut(name) {
    const { door, proxies } = this.map;
    const its = proxies[name] === undefined ? Object.values(proxies).map((of) => of[name]) : Object.values(proxies[name]);
    for (const proxy of name === 'api' ? [door, ...its] : its) proxy.resetAll();
  }

  /** The process's wall clock moves for as long as the cell lasts; its monotonic clock does not, as when a real one is set. */
  async shifted(name, by) {
    this.clocks.set(name, by);
    const { url } = this.map.processes[name];
    const expected = { '+2h': 7_200_000, '-2h': -7_200_000, '+0': 0 }[by];
    for (const deadline = performance.now() + 10_000; performance.now() < deadline; ) {
      const { headers } = await fetch(`${url}/livez`);
      if (Math.abs(Date.parse(headers.get('date')) - Date.now() - expected) < 60_000) return;
      await delay(50);
    }
    throw new Error(`The clock of ${name} did not move by ${by}.`);
  }

  /** The server's disk is full for so long; the broker's time begins with its alarm. */
  async filled(name, milliseconds) {
    const free = this.disks.fill(name);
    try {
      if (name === 'rabbitmq') await this.#alarmed();
      await delay(milliseconds);
    } finally {
      free();
    }
    // A server that gave up is started again by whoever watches over it.
    const { pid } = this.map.servers[name];
    if (!isAlive(pid)) await this.map.servers[name].restart();
  }

  logs() {
    return Object.entries(this.map?.processes ?? {})
      .map(([name, { log }]) => `--- ${name}\n${log.slice(-3000)}\n`)
      .join('');
  }

  async stop() {
    await this.database?.end();
    await this.map?.stop();
    this.disks?.unmount();
    await this.board.close();
  }
}
