// node scripts/services/keeper.mjs DIRECTORY: keeps real servers running in the background for `services:up`; ends them when it is told to.
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { KEEPER_FILE } from './kept.mjs';
import { SERVICES, startService } from './table.mjs';

const [directory] = process.argv.slice(2);
const token = randomBytes(16).toString('hex');
const kept = {};
let stopping;

const door = createServer((request, response) => {
  if (request.headers.authorization !== `Bearer ${token}`) return void response.writeHead(401).end();
  if (request.method === 'DELETE') return void stop().finally(() => response.end('{}', () => process.exit(0)));
  const { searchParams } = new URL(request.url, 'http://keeper');
  if (request.method === 'POST') for (const name of searchParams.getAll('name')) if (isWanting(name)) void start(name);
  response.end(JSON.stringify(Object.fromEntries(Object.keys(kept).map((name) => [name, stateOf(name)]))));
});

door.listen(0, '127.0.0.1', () => {
  writeFileSync(join(directory, KEEPER_FILE), JSON.stringify({ port: door.address().port, token, pid: process.pid }), { mode: 0o600 });
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => void stop().finally(() => process.exit(0)));

/** Never started, failed, or ended by itself. */
function isWanting(name) {
  return !['starting', 'up'].includes(kept[name] && stateOf(name).state);
}

async function start(name) {
  const before = kept[name]?.server;
  const entry = { state: 'starting', since: Date.now() };
  kept[name] = entry;
  try {
    await before?.stop();
    entry.server = await startService(name, { directory: join(directory, name), ...SERVICES[name].options });
    entry.state = 'up';
    if (stopping) await entry.server.stop();
  } catch (error) {
    entry.state = 'failed';
    entry.error = error.message;
  }
  entry.seconds = (Date.now() - entry.since) / 1_000;
}

/** A server that ended by itself, or by somebody's kill, is not up. */
function stateOf(name) {
  const { state, error, seconds, server } = kept[name];
  if (server === undefined) return { state, error, seconds };
  // What it can do goes with nobody; what it is does.
  const { log: _log, prepared: _prepared, ...known } = server;
  return { ...known, state: isAlive(server.pid) ? state : 'ended', seconds };
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function stop() {
  stopping ??= (async () => {
    await Promise.allSettled(Object.values(kept).map(({ server }) => server?.stop()));
    rmSync(join(directory, KEEPER_FILE), { force: true });
  })();
  return stopping;
}
