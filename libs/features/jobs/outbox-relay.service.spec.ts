import { AppError } from '@kernel/errors';
import type { JobMessage, JobTransport } from '@kernel/jobs';
import { JobHandlers } from './job-handlers.service';
import type { JobOutboxRepository, OutboxRow, UnsentRow } from './job-outbox.repository';
import { JobTiming } from './job-timing.entity';
import { OutboxRelay } from './outbox-relay.service';

/** An outbox in memory whose database may be away, and a transport that may refuse or hang. */
class Bench {
  rows: OutboxRow[] = [];
  taken = new Set<string>();
  released: UnsentRow[] = [];
  published: string[] = [];
  claims = 0;
  inClaim = 0;
  mostInClaim = 0;
  databaseAway = false;
  ready = true;
  becomeReady: () => void = () => undefined;
  publish: (message: JobMessage) => Promise<void> = async () => undefined;

  readonly relay = new OutboxRelay(
    {
      claim: async () => {
        this.claims += 1;
        this.inClaim += 1;
        this.mostInClaim = Math.max(this.mostInClaim, this.inClaim);
        await new Promise((resolve) => setTimeout(resolve, 5));
        this.inClaim -= 1;
        if (this.databaseAway) throw new AppError('unavailable', 'The database does not answer.');
        const found = this.rows.filter(({ id }) => !this.taken.has(id)).slice(0, 500);
        for (const { id } of found) this.taken.add(id);
        return found;
      },
      delete: async (ids: string[]) => {
        this.rows = this.rows.filter((row) => !ids.includes(row.id));
      },
      release: async (rows: UnsentRow[]) => {
        this.released.push(...rows);
        for (const { id } of rows) this.taken.delete(id);
      },
    } as unknown as JobOutboxRepository,
    this.transport(),
    new JobHandlers(),
    new JobTiming(),
  );

  private transport(): JobTransport {
    const ready = (): boolean => this.ready;
    return {
      shared: true,
      get ready() {
        return ready();
      },
      onReady: (listener) => {
        this.becomeReady = () => {
          this.ready = true;
          listener();
        };
      },
      delays: true,
      know: () => undefined,
      onDead: () => undefined,
      waiting: async () => 0,
      publish: async (message) => {
        await this.publish(message);
        this.published.push(message.job_id);
      },
    };
  }

  add(...jobs: string[]): void {
    this.rows.push(...jobs.map((jobId) => ({ id: `row-${jobId}`, jobId, kind: 'test.work', version: 1, delayMs: 0, tries: 0 })));
  }
}

describe('OutboxRelay', () => {
  let bench: Bench;
  beforeEach(() => {
    jest.useFakeTimers();
    bench = new Bench();
    Object.defineProperty(bench.relay, 'logger', { value: { warn: jest.fn() } });
  });
  afterEach(async () => {
    bench.databaseAway = false;
    const stopping = bench.relay.stop();
    await jest.advanceTimersByTimeAsync(20_000);
    await stopping;
    jest.useRealTimers();
  });

  it('publishes what is there, in batches, deletes it, and then looks once a second', async () => {
    bench.add(...Array.from({ length: 1_100 }, (_, n) => String(n)));
    bench.relay.start();
    await jest.advanceTimersByTimeAsync(20);
    expect(bench.published).toEqual(Array.from({ length: 1_100 }, (_, n) => String(n)));
    expect(bench.rows).toEqual([]);
    expect(bench.claims).toBe(5);
    await jest.advanceTimersByTimeAsync(3_100);
    expect(bench.claims).toBe(8);
  });

  it('has two batches under way while there are full ones', async () => {
    let underWay = 0;
    let most = 0;
    bench.publish = async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setTimeout(resolve, 100));
      underWay -= 1;
    };
    bench.add(...Array.from({ length: 2_600 }, (_, n) => String(n)));
    bench.relay.start();
    await jest.advanceTimersByTimeAsync(2_000);
    expect(most).toBe(1_000);
    expect(new Set(bench.published).size).toBe(2_600);
    expect(bench.published).toHaveLength(2_600);
    expect(bench.rows).toEqual([]);
  });

  it('looks at once when woken, also when the word comes while it looks, and never twice at a time', async () => {
    bench.relay.start();
    await jest.advanceTimersByTimeAsync(1);
    bench.add('a');
    bench.relay.wake();
    await jest.advanceTimersByTimeAsync(20);
    expect(bench.published).toEqual(['a']);
    for (let n = 0; n < 50; n += 1) bench.relay.wake();
    await jest.advanceTimersByTimeAsync(20);
    expect(bench.mostInClaim).toBe(1);
  });

  it('survives an outage of the database, ever slower, and goes on after it', async () => {
    bench.databaseAway = true;
    bench.add('a');
    bench.relay.start();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(bench.claims).toBeGreaterThan(4);
    expect(bench.claims).toBeLessThan(12);
    bench.databaseAway = false;
    await jest.advanceTimersByTimeAsync(10_100);
    expect(bench.published).toEqual(['a']);
  });

  it('leaves the rows alone while the transport is not ready, and takes them at once when it is', async () => {
    bench.ready = false;
    bench.add('a');
    bench.relay.start();
    await jest.advanceTimersByTimeAsync(30_500);
    expect(bench.claims).toBe(0);
    bench.becomeReady();
    await jest.advanceTimersByTimeAsync(20);
    expect(bench.published).toEqual(['a']);
  });

  it('gives a message that hangs or fails back after its deadline and carries the others', async () => {
    bench.publish = ({ job_id }) =>
      job_id === 'hangs' ? new Promise(() => undefined) : job_id === 'fails' ? Promise.reject(new Error('no')) : Promise.resolve();
    bench.add('hangs', 'fails', 'goes');
    bench.relay.start();
    await jest.advanceTimersByTimeAsync(5_100);
    expect(bench.published).toEqual(['goes']);
    expect(bench.released).toEqual([
      { id: 'row-hangs', reason: 'The transport did not take the message in time.', delayMs: 1_000 },
      { id: 'row-fails', reason: 'no', delayMs: 1_000 },
    ]);
    expect(bench.rows.map((row) => row.jobId)).toEqual(['hangs', 'fails']);
  });

  it('is not slowed down by a message that nobody takes', async () => {
    bench.publish = ({ job_id }) => (job_id === 'fails' ? Promise.reject(new Error('no queue')) : Promise.resolve());
    bench.relay.start();
    for (let round = 0; round < 10; round += 1) {
      if (round === 0) bench.add('fails');
      bench.add(String(round));
      await jest.advanceTimersByTimeAsync(1_100);
    }
    expect(bench.published).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
    expect(bench.rows.map((row) => row.jobId)).toEqual(['fails']);
  });
});
