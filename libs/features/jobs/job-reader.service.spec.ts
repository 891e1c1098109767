import { MemoryFanout } from '@backing/memory';
import type { FanoutListener } from '@kernel/fanout';
import { AppError } from '@kernel/errors';
import { TERMINAL_EVENTS } from '@kernel/jobs';
import * as fc from 'fast-check';
import type { JobEvent, JobLogRepository, LogPage } from './job-log.repository';
import { JobReader } from './job-reader.service';
import { JobSignals } from './job-signals.service';
import { JobTiming } from './job-timing.entity';
import type { JobsRepository } from './jobs.repository';

/** Events in one page of the log here: so that a replay takes several. */
const PAGE = 3;
const RUNS = 4_000;
/** Of each reader with a bug; the first interleaving that shows it ends them. */
const RUNS_OF_A_BUG = 2_000;
/** Rounds of the clock after which nothing can be waited for any more. */
const ROUNDS = 60;

type Pages = (world: World, after: number, signal: AbortSignal) => AsyncIterable<JobEvent[]>;

/** Knows how many listen. */
class CountingFanout extends MemoryFanout {
  listening = 0;

  override subscribe(channel: string, listener: FanoutListener): () => void {
    const stop = super.subscribe(channel, listener);
    this.listening += 1;
    return () => {
      this.listening -= 1;
      stop();
    };
  }
}

/**
 * What a reader meets, in an order that the scheduler chooses: a log that grows by commits, each followed by a word that arrives late or never; reads that see
 * the log as it was between their question and their answer; and a clock.
 */
class World {
  readonly events: JobEvent[] = [];
  readonly fanout = new CountingFanout();
  readonly signals = new JobSignals(this.fanout);
  /** Who listens while nobody reads. */
  readonly always = this.fanout.listening;
  readonly timing = new JobTiming();

  constructor(
    readonly scheduler: fc.Scheduler,
    /** Of each read, whether the database is away. */
    private readonly away: boolean[] = [],
  ) {}

  /** The repository of the log, in which only pages are asked for. */
  get log(): JobLogRepository {
    return { page: (_id: string, after: number, limit: number) => this.page(after, limit) } as unknown as JobLogRepository;
  }

  get ended(): boolean {
    return TERMINAL_EVENTS.has(this.events.at(-1)?.event ?? 'delta');
  }

  commit(event: JobEvent['event']): void {
    const seq = this.events.length + 1;
    this.events.push({ seq, event, data: { seq } });
  }

  async page(after: number, limit: number): Promise<LogPage> {
    await this.scheduler.schedule(Promise.resolve(), 'the read reaches the database');
    if (this.away.shift()) throw new AppError('unavailable', 'The database is away.');
    const events = this.events.slice(after, after + Math.min(limit, PAGE));
    const page: LogPage = {
      status: this.ended ? 'succeeded' : 'running',
      epoch: 1,
      kind: 'test',
      lastSeq: this.events.length,
      waits: false,
      events,
    };
    await this.scheduler.schedule(Promise.resolve(), 'the page arrives');
    return page;
  }

  /** Commits all events, the last of them terminal; `told`: whose word arrives. */
  async write(told: boolean[]): Promise<void> {
    const words: Promise<void>[] = [];
    for (const [n, arrives] of told.entries()) {
      await this.scheduler.schedule(Promise.resolve(), 'the commit');
      this.commit(n === told.length - 1 ? 'done' : 'delta');
      if (arrives) words.push(this.scheduler.schedule(Promise.resolve(), 'the word').then(() => this.signals.notify('job')));
    }
    await Promise.all(words);
  }
}

/** A client that follows the job: it is cut off after so many pages, each time, and goes on after the last event that it has. */
class Follower {
  readonly seen: JobEvent[] = [];

  constructor(
    private readonly world: World,
    private readonly pages: Pages,
    /** Pages after which each connection is cut; the last one is not. */
    private readonly cuts: number[],
  ) {}

  async follow(): Promise<void> {
    const { scheduler } = this.world;
    await scheduler.schedule(Promise.resolve(), 'the reader comes');
    for (const cut of [...this.cuts, Number.POSITIVE_INFINITY]) {
      const controller = new AbortController();
      // The cut comes while the reader waits, too.
      const cutting =
        cut === 0 ? scheduler.schedule(Promise.resolve(), 'the reader goes').then(() => controller.abort()) : Promise.resolve();
      let taken = 0;
      for await (const events of this.pages(this.world, this.seen.at(-1)?.seq ?? 0, controller.signal)) {
        await scheduler.schedule(Promise.resolve(), 'the client takes it');
        this.seen.push(...events);
        taken += 1;
        if (taken === cut) controller.abort();
      }
      await cutting;
      if (TERMINAL_EVENTS.has(this.seen.at(-1)?.event ?? 'delta')) return;
    }
  }
}

const real: Pages = (world, after, signal) =>
  new JobReader(world.log, {} as JobsRepository, world.signals, world.timing).pages('job', after, signal);

const plans = fc.record({
  /** An event each; false: its word is lost. */
  told: fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
  readers: fc.array(fc.array(fc.nat({ max: 2 }), { maxLength: 2 }), { minLength: 1, maxLength: 3 }),
  away: fc.array(fc.boolean(), { maxLength: 8 }),
  /** No word is lost, the database is there and the clock stands still: words alone must do. */
  byWord: fc.boolean(),
});

/** Every follower has the whole log, once and in order, whatever came when; nobody listens any more then. */
function handOver(pages: Pages, outages = false) {
  return fc.asyncProperty(fc.scheduler(), plans, async (scheduler, { told, readers, away, byWord }) => {
    const world = new World(scheduler, outages && !byWord ? [...away] : []);
    const followers = readers.map((cuts) => new Follower(world, pages, cuts));
    let over: unknown = false;
    const all = Promise.all([world.write(byWord ? told.map(() => true) : told), ...followers.map((follower) => follower.follow())]);
    void all.then(
      () => (over = true),
      (error: unknown) => (over = error),
    );
    await scheduler.waitIdle();
    for (let round = 0; over === false && !byWord && round < ROUNDS; round += 1) {
      jest.advanceTimersByTime(world.timing.readPollMs);
      await scheduler.waitIdle();
    }
    const whole = world.events.map(({ seq }) => seq);
    for (const { seen } of followers) expect(seen.map(({ seq }) => seq)).toEqual(whole);
    expect(over).toBe(true);
    expect([jest.getTimerCount(), world.fanout.listening]).toEqual([0, world.always]);
  });
}

/** Readers as they are easily written, each with its bug. */
const BUGS: Record<string, Pages> = {
  async *'listens only once it has read everything'({ log, signals, timing }, after, signal) {
    let position = after;
    for (;;) {
      const { events } = (await log.page('job', position, 256)) as LogPage;
      if (signal.aborted || events.length === 0) break;
      position = events.at(-1)?.seq ?? position;
      yield events;
      if (TERMINAL_EVENTS.has(events.at(-1)?.event ?? 'delta')) return;
    }
    const subscription = signals.subscribe('job');
    while (!signal.aborted) {
      await subscription.next(timing.readPollMs, signal);
      const { events } = (await log.page('job', position, 256)) as LogPage;
      if (events.length > 0) yield events;
      position = events.at(-1)?.seq ?? position;
      if (TERMINAL_EVENTS.has(events.at(-1)?.event ?? 'delta')) break;
    }
    subscription.close();
  },
  async *'takes the last event of the job for the last one of the page'({ log, signals, timing }, after, signal) {
    const subscription = signals.subscribe('job');
    for (let position = after; !signal.aborted; ) {
      const { events, lastSeq } = (await log.page('job', position, 256)) as LogPage;
      position = Math.max(position, lastSeq);
      if (events.length > 0) yield events;
      if (TERMINAL_EVENTS.has(events.at(-1)?.event ?? 'delta')) break;
      if (events.length === 0) await subscription.next(timing.readPollMs, signal);
    }
    subscription.close();
  },
  async *'sends what it hears at once, beside what it reads'(world, after, signal) {
    const heard: JobEvent[] = [];
    const stop = world.fanout.subscribe('job:job', () => heard.push(...world.events.slice(-1)));
    const subscription = world.signals.subscribe('job');
    for (let position = after; !signal.aborted; ) {
      const { events } = (await world.log.page('job', position, 256)) as LogPage;
      position = events.at(-1)?.seq ?? position;
      if (events.length > 0) yield events;
      const live = heard.splice(0);
      if (live.length > 0) yield live;
      if ([...events, ...live].some(({ event }) => TERMINAL_EVENTS.has(event))) break;
      if (events.length === 0 && live.length === 0) await subscription.next(world.timing.readPollMs, signal);
    }
    stop();
    subscription.close();
  },
  async *'forgets a word that comes while it reads'({ log, signals, timing }, after, signal) {
    for (let position = after; !signal.aborted; ) {
      const { events } = (await log.page('job', position, 256)) as LogPage;
      position = events.at(-1)?.seq ?? position;
      if (events.length > 0) yield events;
      if (TERMINAL_EVENTS.has(events.at(-1)?.event ?? 'delta')) break;
      const subscription = signals.subscribe('job');
      if (events.length === 0) await subscription.next(timing.readPollMs, signal);
      subscription.close();
    }
  },
};

describe('The hand-over from the stored to the live events of a job', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] }));
  afterEach(() => jest.useRealTimers());

  it(`has no gap, nothing twice and nothing in another order, in ${RUNS} interleavings`, () =>
    fc.assert(handOver(real, true), { numRuns: RUNS }));

  it('is given up when the database is away for a minute, and at once for what is no outage', async () => {
    const reading = (error: Error): Promise<unknown> => {
      const log = { page: () => Promise.reject(error) } as unknown as JobLogRepository;
      const world = new World(undefined as unknown as fc.Scheduler);
      return new JobReader(log, {} as JobsRepository, world.signals, world.timing).pages('job', 0, new AbortController().signal).next();
    };
    const ends = [new AppError('unavailable', 'away'), new Error('broken')].map((error) =>
      reading(error).catch((reason: unknown) => reason),
    );
    expect(await ends[1]).toEqual(new Error('broken'));
    let given = false;
    void ends[0]?.then(() => (given = true));
    await jest.advanceTimersByTimeAsync(59_000);
    expect(given).toBe(false);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(given).toBe(true);
    expect(await ends[0]).toMatchObject({ code: 'unavailable' });
  });

  it.each(Object.entries(BUGS))('is seen to be broken where a reader %s', async (_, pages) => {
    const found = await fc.check(handOver(pages), { numRuns: RUNS_OF_A_BUG, endOnFailure: true });
    expect(found.failed).toBe(true);
  });
});
