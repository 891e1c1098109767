// npm run faults:agents [-- --database embedded|postgres|both]
// One run of an agent in twelve steps, in a real server that is killed with SIGKILL after every step and started again on the same data. Every model
// call and every tool must have been done exactly once, the run must end with its answer, and its log must tell each result once.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { startPostgres } from '../../scripts/services.mjs';
import { Client } from '../../scripts/client.mjs';
import { ServerProcess } from '../support/server.mjs';
import { verifyDatabase } from './invariants.mjs';

const { values: options } = parseArgs({ options: { database: { type: 'string', default: 'both' } } });
const STEPS = 12;
const DONE = [
  'model 0',
  'tool calculate {"expression":"1 + 1"}',
  'tool current_time {}',
  'model 2',
  'tool calculate {"expression":"2 + 1"}',
  'model 3',
  'tool calculate {"expression":"3 + 1"}',
  'model 4',
  'tool current_time {"time_zone":"Europe/Zurich"}',
  'model 5',
  'tool calculate {"expression":"5 + 1"}',
  'model 6',
];

function same(what, found, wanted) {
  if (!isDeepStrictEqual(found, wanted)) throw new Error(`${what}: ${JSON.stringify(found)} where ${JSON.stringify(wanted)} belongs`);
}

/** Starts the server again whenever it has killed itself; ends when `over` does. */
async function keepAlive(server, over) {
  const stopped = over.then(
    () => 'over',
    () => 'over',
  );
  for (let deaths = 0; ; deaths += 1) {
    const end = await Promise.race([server.ended, stopped]);
    if (end === 'over') return deaths;
    if (end.signal !== 'SIGKILL') throw new Error(`The server ended with ${end.code ?? end.signal}`);
    // It takes its job up as soon as it is ready and may have died of the next step before anybody saw it ready: that is one more death, not a fault.
    await server.start().catch((error) => {
      if (server.child.signalCode !== 'SIGKILL') throw error;
    });
  }
}

async function run(database) {
  const postgres = database === 'postgres' ? await startPostgres() : undefined;
  const flags = ['--require', join(import.meta.dirname, 'scripted-model.cjs')];
  const server = new ServerProcess({ nodeFlags: flags, environment: postgres === undefined ? {} : { DATABASE_URL: postgres.url } });
  const log = join(server.directory, '..', `${server.directory.split('/').at(-1)}.log`);
  Object.assign(server.environment, { FAULT_LOG: log, CHAT_MODEL: 'scripted' });
  try {
    await server.start();
    const client = new Client(server.url);
    await client.register('faults@example.org', 'a long enough password');
    const agent = await client.json('POST', '/api/v1/agents', { name: 'twelve', model: 'scripted', tools: ['calculate', 'current_time'] });
    const accepted = await client.json('POST', `/api/v1/agents/${agent.id}/runs`, { input: 'Go.' });
    const events = [];
    const finished = client.finish(accepted.job.id, (event) => events.push(event));
    const deaths = await keepAlive(server, finished);
    const last = await finished;
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    same('deaths', deaths, STEPS);
    same(
      'what was done',
      lines.filter((line) => !line.startsWith('died')),
      DONE,
    );
    same('the end', [last.event, last.data.output], ['done', 'Twelve steps.']);
    same(
      'results told',
      events.filter(({ event }) => event === 'tool_result').map(({ data }) => data.step),
      [2, 3, 5, 7, 9, 11],
    );
    const story = await client.json('GET', `/api/v1/agents/runs/${accepted.run.id}`);
    same('steps', story.steps.map(({ kind }) => kind[0]).join(' '), 'm t t m t m t m t m t m');
    await server.stop();
    const counted = await verifyDatabase(server.directory, postgres?.url);
    process.stdout.write(
      `agent on ${database}: ${deaths} kills at ${STEPS} step boundaries, 0 steps repeated; ${JSON.stringify(counted)}\n`,
    );
    server.remove();
  } catch (error) {
    process.stderr.write(`${server.log.slice(-6000)}\n`);
    throw error;
  } finally {
    if (server.child?.exitCode === null && server.child.signalCode === null) await server.kill();
    await postgres?.stop();
  }
}

for (const database of options.database === 'both' ? ['embedded', 'postgres'] : [options.database]) await run(database);
