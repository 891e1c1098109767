// node scripts/services.mjs start [postgres] [ollama]: real servers for tests and development, in the foreground until a signal ends them.
import { startOllama } from './services/ollama.mjs';
import { startPostgres } from './services/postgres.mjs';
import { StepError, exitWith, isProgram, say } from './toolchain/process.mjs';

export { startOllama, startPostgres };

/** Each service by name: how it starts, and the variable by which the tests find it. */
const SERVICES = {
  postgres: { start: startPostgres, variable: 'TEST_DATABASE_URL' },
  ollama: { start: startOllama, variable: 'TEST_OLLAMA_URL' },
};

async function main([command, ...names]) {
  const chosen = names.length > 0 ? names : Object.keys(SERVICES);
  const unknown = chosen.find((name) => !SERVICES[name]);
  if (command !== 'start' || unknown) throw new StepError(`usage: npm run services -- start [${Object.keys(SERVICES).join('|')}]`);
  const interrupted = new Promise((done) => ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach((name) => process.once(name, done)));
  const keepAlive = setInterval(() => {}, 60_000);
  const running = [];
  try {
    for (const name of chosen) {
      const service = await SERVICES[name].start();
      running.push(service);
      process.stdout.write(`${SERVICES[name].variable}=${service.url}\n`);
    }
    say('Running; Ctrl-C stops.');
    await interrupted;
  } finally {
    clearInterval(keepAlive);
    for (const service of running.reverse()) await service.stop();
  }
}

if (isProgram(import.meta.url)) await exitWith(() => main(process.argv.slice(2)));
