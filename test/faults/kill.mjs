// npm run faults -- [--rounds 50] [--kinds answer,ingest,address,replacement,batch] [--database embedded|postgres|both] [--seed 1]
// kill -9 of the whole server at a random moment of each kind of work, a restart on the same data, and then the invariants: the job ends,
// its events are 1..n without a gap and end once, what is shown is whole, nothing is missing, doubled or left over, and nothing that was
// accepted is lost.
import { parseArgs } from 'node:util';
import { startPostgres } from '../../scripts/services.mjs';
import { Client } from '../../scripts/client.mjs';
import { ServerProcess } from '../support/server.mjs';
import { verifyDatabase } from './invariants.mjs';
import { addresses } from './kinds/addresses.mjs';
import { answers } from './kinds/answers.mjs';
import { batches } from './kinds/batches.mjs';
import { ingests } from './kinds/ingests.mjs';
import { replacements } from './kinds/replacements.mjs';
import { manual } from './manual.mjs';
import { Rounds } from './rounds.mjs';

const KINDS = { answer: answers, ingest: ingests, address: addresses, replacement: replacements, batch: batches };
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    kinds: { type: 'string', default: Object.keys(KINDS).join(',') },
    database: { type: 'string', default: 'both' },
    seed: { type: 'string', default: '1' },
  },
});
const kinds = options.kinds.split(',');
const unknown = kinds.find((kind) => !Object.hasOwn(KINDS, kind));
if (unknown !== undefined) throw new Error(`--kinds ${unknown}: one of ${Object.keys(KINDS).join(', ')}`);
const count = Number(options.rounds);

/** An access token lives for 15 minutes, a run may take longer. */
async function keyed(server) {
  const client = new Client(server.url);
  await client.register('faults@example.org', 'a long enough password');
  const scopes = ['chat', 'documents:read', 'documents:write', 'vectors:read', 'vectors:write', 'jobs:read', 'jobs:write'];
  const key = await client.json('POST', '/api/v1/auth/keys', { name: 'faults', scopes });
  client.token = key.secret;
  return client;
}

async function run(database) {
  const postgres = database === 'postgres' ? await startPostgres() : undefined;
  const environment = { EGRESS_ALLOW: '127.0.0.1/32', RATE_LIMIT_PER_MINUTE: '1000000' };
  if (postgres !== undefined) environment.DATABASE_URL = postgres.url;
  const server = new ServerProcess({ environment });
  try {
    await server.start();
    const client = await keyed(server);
    // What is measured must not wait for a model or a parser that has never been loaded: every kill would come late.
    await client.finish((await client.upload('first.txt', manual(1, 4))).job.id);
    const rounds = new Rounds({ database, server, client, count, seed: Number(options.seed) });
    for (const kind of kinds) await KINDS[kind](rounds);
    await server.stop();
    const counted = await verifyDatabase(server.directory, postgres?.url);
    process.stdout.write(`${kinds.join(', ')} on ${database}: ${kinds.length * count} kills, all finished; ${JSON.stringify(counted)}\n`);
    server.remove();
  } catch (error) {
    process.stderr.write(`${server.log.slice(-6000)}\n`);
    throw error;
  } finally {
    if (server.child?.exitCode === null && server.child.signalCode === null) await server.kill();
    await postgres?.stop();
  }
}

const databases = options.database === 'both' ? ['embedded', 'postgres'] : [options.database];
// At the same time: most of a round is a server that starts, on one core.
const ended = await Promise.allSettled(databases.map(run));
const failed = ended.find(({ status }) => status === 'rejected');
if (failed !== undefined) throw failed.reason;
process.stdout.write(`${databases.length * kinds.length * count} passed, 0 failed\n`);
