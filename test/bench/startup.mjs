// npm run bench:startup -- [--rounds 5]: from the start of the process to the first 200 of /readyz on an external database, and the resident memory
// 5 s later, without models. Medians and ranges; CPU seconds beside the wall's, which a busy machine stretches. Last, the packages that were loaded.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../scripts/services.mjs';
import { ServerProcess, repository } from '../support/server.mjs';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const IDLE_MS = 5_000;
const DRIVERS = new RegExp(
  '^(pg|typeorm|@electric-sql/pglite|ioredis|amqplib|amqp-connection-manager|neo4j-driver|chromadb|@qdrant/js-client-rest|consul|faiss-node|' +
    'node-llama-cpp|undici|mammoth|linkedom|unpdf)$',
);
const TICKS = Number(execFileSync('getconf', ['CLK_TCK']));

function cpuMilliseconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS;
}

function residentMegabytes(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1_024;
}

function line(name, values, unit) {
  const sorted = [...values].sort((a, b) => a - b);
  const figure = (value) => value.toFixed(0).padStart(5);
  const median = figure(sorted[Math.floor(sorted.length / 2)]);
  process.stdout.write(`${name.padEnd(22)} median ${median}  least ${figure(sorted[0])}  most ${figure(sorted.at(-1))} ${unit}\n`);
}

async function round(url, models, extra = {}) {
  const { flags = [], environment = {} } = extra;
  const server = new ServerProcess({
    nodeFlags: flags,
    environment: { DATABASE_URL: url, MODELS_DIR: models, LOG_LEVEL: 'warn', ...environment },
  });
  const ready = await server.start();
  const cpu = cpuMilliseconds(server.child.pid);
  await delay(IDLE_MS);
  const resident = residentMegabytes(server.child.pid);
  await server.stop();
  rmSync(server.directory, { recursive: true, force: true });
  return { ready, cpu, resident };
}

const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
const postgres = await startPostgres();
try {
  const packages = join(models, 'packages');
  const preload = join(repository, 'test', 'support', 'package-list.cjs');
  // The first start also migrates, and fills the compile cache.
  await round(postgres.url, models, { flags: ['--require', preload], environment: { LOADED_PACKAGES: packages } });
  const rounds = [];
  for (let n = 0; n < Number(options.rounds); n += 1) rounds.push(await round(postgres.url, models));
  const column = (name) => rounds.map((one) => one[name]);
  line('ready', column('ready'), 'ms');
  line('CPU until ready', column('cpu'), 'ms');
  line('resident, idle', column('resident'), 'MB');
  const loaded = new Set(readFileSync(packages, 'utf8').trim().split('\n'));
  process.stdout.write(
    `packages loaded: ${loaded.size}; drivers among them: ${[...loaded].filter((name) => DRIVERS.test(name)).join(', ')}\n`,
  );
} finally {
  await postgres.stop();
  rmSync(models, { recursive: true, force: true });
}
