// npm run faults:soak -- [--kills 200] [--jobs 20000] [--rate 40] [--victims api,worker,redis,postgres,rabbitmq] [--seed 1]
// Jobs are accepted at a fixed rate while the processes of the product and its servers are killed (kill -9) at random and started again. Then: every job that
// was accepted has ended well, once; what it was to do is there, once; every event log is whole. Prints how long it took from each kill to the first
// success. The models are a script, so that the machine's time goes into jobs. Exits 1 when something was lost or doubled, or came back too late.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from '../../scripts/client.mjs';
import { repository } from '../support/server.mjs';
import { verifyDatabase } from './invariants.mjs';
import { FullMap } from './services/map.mjs';
import { Killer, VICTIMS } from './soak/killer.mjs';
import { Ledger } from './soak/ledger.mjs';
import { Load } from './soak/load.mjs';

const { values: options } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    jobs: { type: 'string', default: '20000' },
    rate: { type: 'string', default: '40' },
    victims: { type: 'string', default: Object.keys(VICTIMS).join(',') },
    seed: { type: 'string', default: '1' },
  },
});
const victims = options.victims.split(',');
const unknown = victims.find((name) => !Object.hasOwn(VICTIMS, name));
if (unknown !== undefined) throw new Error(`--victims ${unknown}: one of ${Object.keys(VICTIMS).join(', ')}`);

const map = await FullMap.start(['postgres', 'redis', 'rabbitmq'], {
  environment: { CHAT_MODEL: 'scripted', EMBEDDING_MODEL: 'scripted-embedding' },
  nodeFlags: ['--require', join(repository, 'test', 'fuzz', 'fuzz-model.cjs')],
});
const ledger = new Ledger(map.servers.postgres.url);
const say = (line) => process.stdout.write(`${line}\n`);
try {
  const client = await account();
  const load = new Load({ url: map.api.url, token: client.token, perSecond: Number(options.rate), jobs: Number(options.jobs) });
  const killer = new Killer({ map, load, ledger, victims, seed: Number(options.seed) });
  load.start();
  await killer.run(Number(options.kills), say);
  await load.accepted();
  const broken = await judged(load, killer);
  process.exitCode = broken === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${map.api?.log.slice(-3000)}\n${map.worker?.log.slice(-3000) ?? ''}\n`);
  throw error;
} finally {
  await ledger.close();
  await map.stop();
}

async function account() {
  const client = new Client(map.api.url);
  await client.register('soak@example.org', 'a long enough password');
  const scopes = ['chat', 'vectors:read', 'vectors:write', 'jobs:read'];
  const { secret } = await client.json('POST', '/api/v1/auth/keys', { name: 'soak', scopes });
  client.token = secret;
  await client.json('POST', '/api/v1/vectors/collections', { name: 'soak' });
  return client;
}

/** How many promises broke. */
async function judged(load, killer) {
  await ledger.untilEnded();
  const { lost, doubled, jobs } = await ledger.compare(load);
  const taken = await ledger.takeovers(killer.kills);
  await map.stopOurs();
  const counted = await verifyDatabase(map.api.directory, map.servers.postgres.url);
  const late = killer.report(say);
  say(`jobs at work when their worker was killed: ${taken.jobs}, the slowest taken over after ${taken.slowest.toFixed(1)} s (20 allowed)`);
  say(
    `${killer.kills.length} kills, ${jobs} jobs of ${load.submitted} submissions, ${lost} lost, ${doubled} doubled; ${JSON.stringify(counted)}`,
  );
  return lost + doubled + late + (taken.slowest > 20 ? 1 : 0);
}
