// npm run faults:deploys -- [--restarts 100] [--rate 50] [--seed 1]
// Two APIs behind a gateway and two workers, as production runs them (not on loopback), are stopped by SIGTERM and started again one after the other while
// requests, questions, waits and event streams go on. No request fails and none is sent twice; every accepted job ends well without having used up an
// attempt; every stream goes on elsewhere, without a gap; every process ends by itself with 0. Prints how long they took to stop. Exits 1 when something broke.
import { parseArgs } from 'node:util';
import { Gateway } from './deploys/gateway.mjs';
import { Load } from './deploys/load.mjs';
import { generator, percentile } from './random.mjs';
import { Logs } from './streams/logs.mjs';
import { Replicas, stopOne, STOPPED_MS } from './streams/replicas.mjs';

const { values: options } = parseArgs({
  options: {
    restarts: { type: 'string', default: '100' },
    rate: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
});
const restarts = Number(options.restarts);

const say = (line) => process.stdout.write(`${line}\n`);
const map = await Replicas.start({ HOST: '0.0.0.0' });
const logs = new Logs(map.database);
const gateway = new Gateway(map.apis);
/** { app, code, milliseconds } of each process that was stopped. */
const stops = [];
let begun = 0;

try {
  const load = new Load({ gateway, token: await map.key(), perSecond: Number(options.rate), random: generator(Number(options.seed)) });
  const began = performance.now();
  load.start();
  await Promise.all([roll(map.apis, (api) => gateway.untilReady(api)), roll(map.workers)]);
  await load.stop();
  process.exitCode = (await judged(load, (performance.now() - began) / 1_000)) === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${map.words}\n`);
  throw error;
} finally {
  await gateway.close();
  await logs.close();
  await map.stop();
}

/** Restarts one of a kind after the other, as long as some of all restarts are left; `ready`: when the others may go. */
async function roll(processes, ready = () => undefined) {
  for (let n = 0; begun < restarts; n += 1) {
    begun += 1;
    const process = processes[n % processes.length];
    stops.push(await stopOne(process));
    await process.start();
    await ready(process);
    if (stops.length % 20 === 0) say(`${stops.length} of ${restarts} restarts`);
  }
}

/** How many promises broke. */
async function judged(load, seconds) {
  const { again, reset, jobs } = await logs.ended();
  const lost = await logs.lost(load.jobs);
  stops.push(...(await map.stopOurs()));
  const total = { gaps: 0, doubled: 0, reordered: 0, other: 0, text: 0 };
  for (const follower of load.followers) {
    const found = await logs.compare(follower);
    for (const name of Object.keys(total)) total[name] += found[name];
  }
  const faults = Object.values(total).reduce((sum, count) => sum + count, 0);
  const breaks = load.followers.reduce((sum, follower) => sum + follower.breaks.length, 0);
  for (const app of ['api', 'worker']) {
    const took = stops.filter((stop) => stop.app === app).map(({ milliseconds }) => milliseconds / 1_000);
    say(
      `${app.padEnd(6)} ${String(took.length).padStart(3)} stops | stopped after p50 ${percentile(took, 0.5).toFixed(2)} s, p95 ${percentile(took, 0.95).toFixed(2)} s, most ${percentile(took, 1).toFixed(2)} s`,
    );
  }
  const wrong = stops.filter(({ code, milliseconds }) => code !== 0 || milliseconds > STOPPED_MS);
  say(
    `${load.requests} requests in ${seconds.toFixed(0)} s, ${load.failures.length} failed; ${jobs} jobs, ${lost} lost, ${reset} handed over, ${again} used up an attempt by it`,
  );
  say(`${load.followers.length} streams, ${breaks} went on elsewhere, ${faults} faults in their logs ${JSON.stringify(total)}`);
  say(`${begun} restarts, ${stops.length} stops, ${wrong.length} not ended with 0 within ${STOPPED_MS / 1_000} s`);
  for (const failure of load.failures.slice(0, 5)) say(`  failed: ${failure}`);
  for (const stop of wrong.slice(0, 5)) say(`  wrong end: ${JSON.stringify(stop)}`);
  return load.failures.length + lost + again + faults + wrong.length + (begun < restarts ? 1 : 0);
}
