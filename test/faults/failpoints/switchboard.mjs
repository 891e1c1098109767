// The harness's end of the failpoints: one socket to which every process of the product under test connects.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from '../../support/server.mjs';

export const { POINTS } = createRequire(import.meta.url)('./places.cjs');
const HEARD_MS = 5_000;

export class Switchboard {
  /** Sockets of the processes by their name: the newest counts. */
  #processes = new Map();
  #hits = [];
  #waiting = [];
  /** The point has stopped a flow: others that come to it in the same moment, in another process, go on. */
  #isTaken = false;

  static async open() {
    const board = new Switchboard();
    board.directory = mkdtempSync(join(tmpdir(), 'sutazai-failpoints-'));
    board.log = join(board.directory, 'hits');
    writeFileSync(board.log, '');
    board.server = createServer((socket) => board.#accept(socket));
    await new Promise((resolve) => board.server.listen(join(board.directory, 'socket'), resolve));
    return board;
  }

  /** What a process needs to have points. */
  environmentOf(name) {
    return { FAILPOINTS: join(this.directory, 'socket'), FAILPOINTS_NAME: name, FAILPOINTS_LOG: this.log };
  }

  get nodeFlags() {
    return ['--require', join(repository, 'test', 'faults', 'failpoints', 'product.cjs')];
  }

  /** Processes that have come. */
  get connected() {
    return [...this.#processes.keys()];
  }

  /** Every point that was reached and stopped, as { point, mode, name }, also by processes that died of it. */
  reached() {
    return readFileSync(this.log, 'utf8')
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  /** The point stops the next flow that comes there, in any of these processes (all when unset); resolves when they know. */
  async arm({ point, mode = 'pause', skip, milliseconds, names = [...this.#processes.keys()] }) {
    const place = POINTS.find((each) => each.point === point);
    if (place === undefined) throw new Error(`There is no point ${point}`);
    const arm = { point, mode, detail: place.detail, skip: skip ?? place.skip ?? 0, milliseconds };
    this.#hits = [];
    this.#isTaken = false;
    await Promise.all(names.map((name) => this.#tell(name, { arm })));
  }

  async disarm() {
    await Promise.all([...this.#processes.keys()].map((name) => this.#tell(name, { disarm: true })));
  }

  /** The next flow that stands at a point, as { name, pid, point, go() }. Rejects when nobody comes there. */
  hit(milliseconds) {
    if (this.#hits.length > 0) return Promise.resolve(this.#hits.shift());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((each) => each !== heard);
        reject(new Error(`Nobody came to the point within ${milliseconds} ms.`));
      }, milliseconds);
      const heard = (hit) => {
        clearTimeout(timer);
        resolve(hit);
      };
      this.#waiting.push(heard);
    });
  }

  async close() {
    for (const { socket } of this.#processes.values()) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Resolves when the process has heard, or is gone. */
  #tell(name, message) {
    const process = this.#processes.get(name);
    if (process === undefined || process.socket.destroyed) return Promise.resolve();
    process.socket.write(`${JSON.stringify(message)}\n`);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, HEARD_MS);
      process.heard.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #accept(socket) {
    const process = { socket, heard: [] };
    let rest = '';
    socket.on('error', () => undefined);
    socket.on('close', () => process.heard.splice(0).forEach((heard) => heard()));
    socket.on('data', (bytes) => {
      const lines = (rest + bytes).split('\n');
      rest = lines.pop();
      for (const line of lines) this.#hear(process, JSON.parse(line));
    });
  }

  #hear(process, { hello, pid, heard, hit, point }) {
    if (hello !== undefined) {
      Object.assign(process, { name: hello, pid });
      this.#processes.set(hello, process);
    }
    if (heard !== undefined) process.heard.shift()?.();
    if (hit === undefined) return;
    const { name, socket } = process;
    const standing = { name, pid: process.pid, point, go: () => socket.destroyed || socket.write(`${JSON.stringify({ go: hit })}\n`) };
    if (this.#isTaken) return void standing.go();
    this.#isTaken = true;
    for (const other of this.#processes.keys()) void this.#tell(other, { disarm: true });
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#hits.push(standing);
    else waiting(standing);
  }
}
