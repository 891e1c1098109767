// npm run bench:prepared -- [--rounds 5]: hot statements with a name (parsed and planned once for each connection) against the same without, in turn
// over one connection to a real server. Medians of the time for one statement, and their ratio.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../scripts/services.mjs';
import { repository } from '../support/server.mjs';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const STATEMENTS = 300;
const load = (lib) => createRequire(import.meta.url)(join(repository, 'dist', 'libs', lib));
const { openSource, PostgresClient } = load('backing/postgres');
const { JobLeaseRepository, JobLogRepository, JobTiming } = load('features/jobs');
const { PrincipalsRepository } = load('features/auth/principals/principals.repository');

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** The same client, told to forget the names. */
const nameless = (client) => ({ query: (statement, { name: _name, ...rest } = {}) => client.query(statement, rest) });

function hotStatements(client) {
  const id = '00000000-0000-7000-8000-000000000000';
  return {
    'auth, a key': () => new PrincipalsRepository(client).findKey(Buffer.alloc(32)),
    'auth, a login': () => new PrincipalsRepository(client).findLogin(id, id, id),
    'claim of a job': () => new JobLeaseRepository(client, new JobTiming(), { delays: true }, 'bench').claim(id, ['bench@1']),
    'append of an event': () => new JobLogRepository(client).append({ id, epoch: 1 }, 'delta', { text: 'word' }),
  };
}

async function each(work) {
  const times = [];
  for (let n = 0; n < STATEMENTS; n += 1) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return median(times);
}

const postgres = await startPostgres();
const { source } = await openSource({
  directory: '/nowhere',
  database: { url: postgres.url, poolSize: 1, poolOverflow: 0, migrate: 'auto' },
});
const client = new PostgresClient(source);
try {
  const [named, unnamed] = [hotStatements(client), hotStatements(nameless(client))];
  for (const name of Object.keys(named)) {
    const times = { named: [], unnamed: [] };
    for (let n = 0; n < Number(options.rounds); n += 1) {
      times.unnamed.push(await each(unnamed[name]));
      times.named.push(await each(named[name]));
    }
    const [before, after] = [median(times.unnamed), median(times.named)];
    process.stdout.write(`${name.padEnd(20)} ${before.toFixed(3)} ms -> ${after.toFixed(3)} ms, ratio ${(after / before).toFixed(2)}\n`);
  }
} finally {
  await client.onApplicationShutdown();
  await postgres.stop();
}
