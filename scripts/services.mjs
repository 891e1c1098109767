// npm run services -- start [NAME…]: real servers on free ports, in the foreground until a signal ends them.
// npm run services:up [-- NAME…] | services:status | services:down: the whole map on the ports of the full deployment, in the background, data under DATA_DIR.
// npm run services -- build [NAME…]: only gets their programs, so that a later start is quick.
import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endKept, keptServices, servicesDirectory, startKept } from './services/kept.mjs';
import { ABSENT, SERVICES, startService, variablesOf } from './services/table.mjs';
import { ROOT, StepError, exitWith, isProgram, say } from './toolchain/process.mjs';

export { startOllama } from './services/ollama.mjs';
export { startPostgres } from './services/postgres.mjs';

const POLL_MS = 250;
const UP_MS = 30 * 60_000;
const TELL_MS = 20_000;
const COMMANDS = { start, up, status, down, build };

async function main([command = '', ...names]) {
  const chosen = names.length > 0 ? names : Object.keys(SERVICES);
  const known = Object.hasOwn(COMMANDS, command) && chosen.every((name) => Object.hasOwn(SERVICES, name));
  if (!known) throw new StepError(`usage: npm run services -- ${Object.keys(COMMANDS).join('|')} [${Object.keys(SERVICES).join('|')}]`);
  return COMMANDS[command](chosen);
}

async function start(names) {
  const interrupted = new Promise((done) => ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach((name) => process.once(name, done)));
  const keepAlive = setInterval(() => {}, 60_000);
  const running = [];
  try {
    for (const name of names) {
      const service = await startService(name);
      running.push(service);
      for (const [variable, value] of Object.entries(variablesOf(name, service))) process.stdout.write(`${variable}=${value}\n`);
    }
    say('Running; Ctrl-C stops.');
    await interrupted;
  } finally {
    clearInterval(keepAlive);
    for (const service of running.reverse()) await service.stop();
  }
}

/** Side by side; what cannot be built is said, and fails the command. */
async function build(names) {
  const results = await Promise.allSettled(
    names.map(async (name) => {
      const script = await import(`./services/${SERVICES[name].module}.mjs`);
      const ensure = Object.entries(script).find(([key]) => key.startsWith('ensure'))?.[1];
      await ensure?.();
    }),
  );
  const failed = results.map(({ reason }, at) => reason && `${SERVICES[names[at]].label}: ${reason.message}`).filter(Boolean);
  for (const line of failed) say(line);
  return failed.length === 0 ? 0 : 1;
}

/** Answers when every server is ready or has failed; a second call finds the first one's servers. */
async function up(names) {
  const directory = servicesDirectory();
  const deadline = Date.now() + UP_MS;
  if ((await startKept(names, directory)) === undefined) {
    keep(directory);
    while ((await startKept(names, directory)) === undefined) {
      if (Date.now() > deadline) throw new StepError('The keeper of the services did not start: see DATA_DIR/services/keeper.log.');
      await delay(POLL_MS);
    }
  }
  let told = Date.now();
  for (;;) {
    const kept = (await keptServices(directory)) ?? {};
    const waiting = names.filter((name) => (kept[name]?.state ?? 'starting') === 'starting');
    if (waiting.length === 0) return table(names, kept);
    if (Date.now() > deadline) throw new StepError(`${waiting.join(', ')} did not start within ${UP_MS / 60_000} minutes.`);
    if (Date.now() - told > TELL_MS) {
      told = Date.now();
      say(`Waiting for ${waiting.join(', ')} (a first start builds what no package has) ...`);
    }
    await delay(POLL_MS);
  }
}

function keep(directory) {
  mkdirSync(directory, { recursive: true });
  const log = openSync(join(directory, 'keeper.log'), 'a', 0o600);
  const keeper = spawn(process.execPath, [join(ROOT, 'scripts', 'services', 'keeper.mjs'), directory], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', log, log],
  });
  keeper.unref();
}

async function status(names) {
  return table(names, (await keptServices()) ?? {});
}

async function down() {
  say((await endKept()) ? 'The services are down; their data stays.' : 'No services were up.');
  return 0;
}

/** A line for each service; answers 0 when all that can run here are up. */
function table(names, kept) {
  const rows = names.map((name) => {
    const { label, note, options } = SERVICES[name];
    const { state = 'down', error, seconds, url } = kept[name] ?? {};
    const place = url === undefined ? `127.0.0.1:${options.port}` : new URL(url).host;
    const time = state === 'up' && seconds !== undefined ? `${seconds.toFixed(1)} s` : '';
    return [name, state, place, time, error ?? note ?? label];
  });
  for (const [name, { port, why }] of Object.entries(ABSENT)) rows.push([name, 'absent', `127.0.0.1:${port}`, '', why]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  const failed = names.filter((name) => kept[name]?.state !== 'up');
  if (failed.length > 0 && kept[failed[0]] !== undefined) say(`More in ${join('DATA_DIR', 'services', 'NAME', 'NAME.log')}.`);
  return failed.length === 0 ? 0 : 1;
}

if (isProgram(import.meta.url)) await exitWith(() => main(process.argv.slice(2)));
