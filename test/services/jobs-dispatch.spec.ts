import { setTimeout as delay } from 'node:timers/promises';
import { sql } from '@backing/postgres';
import { DEAD_QUEUE, queueOf } from '@backing/rabbitmq';
import { AppError } from '@kernel/errors';
import { v7 } from 'uuid';
import { gate, testWork, testWorkTwo, type JobsBench, type JobsProcess, type ProcessOptions } from '../support/jobs';
import { JobsOverRabbitmq } from '../support/jobs-over-rabbitmq';
import { until } from '../support/until';

const tell = (line: string): boolean => process.stdout.write(`${line}\n`);
const second = (earlier = testWorkTwo.earlier): ProcessOptions => ({
  handler: (handler) => (handler.contract = { ...testWorkTwo, earlier }),
});

describe('Dispatch over RabbitMQ', () => {
  let place: JobsOverRabbitmq;
  let bench: JobsBench;
  beforeAll(async () => {
    place = await JobsOverRabbitmq.open();
    bench = place.bench;
  }, 120_000);
  afterEach(() => place.clear());
  afterAll(() => place?.close());

  const outbox = async (jobId: string): Promise<number> =>
    (await bench.database.client.query(sql`SELECT FROM outbox WHERE job_id = ${jobId}::uuid`)).length;
  /** A job that nobody has touched, whose message lies in the queue of its version and was brought to nobody. */
  const untouched = async (id: string, version: number): Promise<void> => {
    await until(async () => (await place.messages(queueOf({ kind: testWork.kind, version }))) === 1);
    await delay(1_500);
    expect(await bench.job(id)).toMatchObject({ status: 'queued', attempt: 0, epoch: 0 });
    expect(await place.messages(queueOf({ kind: testWork.kind, version }))).toBe(1);
    expect(await place.messages(DEAD_QUEUE)).toBe(0);
    expect(await outbox(id)).toBe(0);
  };

  it('keeps the message of a backoff in a delay queue, which brings it when the job is due', async () => {
    const starts: number[] = [];
    const working = await place.worker({
      timing: { backoffBaseMs: 1_300, backoffCapMs: 1_300, redispatchMs: 60_000 },
      handler: (handler) => {
        handler.work = async (context) => {
          starts.push(performance.now());
          if (context.attempt < 3) throw new AppError('unavailable', 'The model is away.');
          return {};
        };
      },
    });
    const id = await bench.accept(working);
    await until(async () => (await bench.job(id)).retryAt !== null);
    const { retryAt, status } = await bench.job(id);
    expect(status).toBe('queued');
    expect((retryAt as Date).getTime()).toBeGreaterThan(Date.now());
    await until(async () => (await outbox(id)) === 0, 500);
    expect(await bench.job(id)).toMatchObject({ status: 'queued', attempt: 1 });
    expect(await bench.ended(working, id)).toMatchObject({ status: 'succeeded', attempt: 3 });
    const waits = starts.slice(1).map((start, n) => Math.round(start - (starts[n] ?? 0)));
    tell(`backoff of 1300 ms through the delay queues: the next attempt began after ${waits.join(' and ')} ms`);
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(1_300);
    expect(await place.messages()).toBe(0);
  });

  it('leaves a job of a newer version to a newer worker: it is brought to no other, and counts for nothing', async () => {
    const old = await place.worker();
    const id = await bench.accept(old, {}, testWorkTwo);
    await untouched(id, 2);
    const own = await bench.accept(old);
    expect(await bench.ended(old, own)).toMatchObject({ status: 'succeeded' });
    await place.worker(second());
    expect(await bench.ended(old, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(old.handler.attempts.map(({ jobId }) => jobId)).toEqual([own]);
  });

  it('leaves a job of an older version to an older worker, unless the newer one still reads it', async () => {
    const young = await place.worker(second({}));
    const old = await place.api();
    const id = await bench.accept(old);
    await untouched(id, 1);
    const leaving = await place.worker();
    expect(await bench.ended(old, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(young.handler.attempts).toEqual([]);
    await leaving.stop();
    const reading = await place.worker(second());
    expect(await bench.ended(old, await bench.accept(old))).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(reading.handler.attempts.map(({ payload }) => payload)).toEqual([{ name: 'test', note: 'of the first version' }]);
  });

  it('gives a waiting job whose message was given up another one, and empties the queue of the dead', async () => {
    const accepting = await place.api({ timing: { redispatchMs: 600_000 } });
    const id = await bench.accept(accepting);
    await until(async () => (await place.messages()) === 1);
    await place.purge();
    await place.plant(DEAD_QUEUE, JSON.stringify({ job_id: id, kind: testWork.kind, version: 1 }));
    await place.plant(DEAD_QUEUE, JSON.stringify({ job_id: v7(), kind: testWork.kind, version: 1 }));
    await place.plant(queueOf(testWork), '{"job');
    await place.plant(queueOf(testWork), '{"job_id":"1 OR 1=1","kind":"test.work"}');
    const working = await place.worker({ timing: { redispatchMs: 600_000 } });
    expect(await bench.ended(working, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    await until(async () => (await place.messages(DEAD_QUEUE)) === 0 && (await place.messages()) === 0);
    expect(await bench.effects(id)).toHaveLength(1);
  });

  it('ends a job that stops every worker it meets as failed, while others go on', async () => {
    const lost = gate();
    let poison = '';
    const dying = (): Promise<JobsProcess> =>
      place.worker({
        timing: { leaseMs: 500, heartbeatMs: 100_000, redispatchMs: 60_000 },
        handler: (handler) => {
          handler.work = async (context) => {
            // As a process that is gone: it never comes back with the job, and its lease runs out.
            if (context.jobId === poison) await lost.opened;
            return {};
          };
        },
      });
    const working = await dying();
    await dying();
    poison = v7();
    const acceptance = working.jobs.acceptance(testWork, { name: 'poison' }, bench);
    poison = acceptance.jobId;
    await bench.database.client.query(sql`WITH ${acceptance.ctes} SELECT id FROM job`);
    working.jobs.wake();
    for (let n = 0; n < 6; n += 1) expect(await bench.ended(working, await bench.accept(working))).toMatchObject({ status: 'succeeded' });
    expect(await bench.ended(working, poison)).toMatchObject({
      status: 'failed',
      attempt: 3,
      error: { code: 'internal', message: 'The worker stopped 3 times while it ran this job.', retryable: false },
    });
    expect(await bench.ended(working, await bench.accept(working))).toMatchObject({ status: 'succeeded' });
    lost.open();
  });
});
