import fc from 'fast-check';
import { AppError } from '@kernel/errors';
import { ModelGate, type Claim, type GateLimits, type Leave, type Urgency, type Waiter } from './model-gate';

const never = new AbortController().signal;
const claim = (given: Partial<Claim> = {}): Claim => ({
  workspaceId: 'a',
  urgency: 'interactive',
  refusable: true,
  drained: true,
  signal: never,
  ...given,
});
const open = (concurrency: number, given: Partial<GateLimits> = {}) =>
  new ModelGate('small', { concurrency: () => concurrency, queue: 100, seconds: 60, ...given });

/** Enters a call and notes when it is in. */
function track(gate: ModelGate, name: string, starts: string[], given: Partial<Claim> = {}): Promise<Leave> {
  const entered = gate.enter(claim(given));
  entered.then(
    () => starts.push(name),
    () => undefined,
  );
  return entered;
}

/** All that has been settled has been heard of. */
const immediately = setImmediate;
const heard = (): Promise<void> => new Promise((resolve) => immediately(resolve));

/** Who is never let in fails within two seconds. */
const later = setTimeout;
const inTime = <T>(work: Promise<T>): Promise<T> =>
  Promise.race([work, new Promise<never>((_, fail) => later(() => fail(new Error('Nobody was woken.')), 2_000).unref())]);

describe('ModelGate', () => {
  it('lets as many in as the model can work on, and the next when one leaves', async () => {
    const gate = open(2);
    const starts: string[] = [];
    const [first] = [track(gate, '1', starts), track(gate, '2', starts), track(gate, '3', starts)];
    await heard();
    expect([starts, gate.inUse, gate.waiting('interactive')]).toEqual([['1', '2'], 2, 1]);
    const leave = await first!;
    leave();
    leave();
    await heard();
    expect([starts, gate.inUse]).toEqual([['1', '2', '3'], 2]);
  });

  it('gives each workspace its share, whatever another has in the queue', async () => {
    const gate = open(1);
    const starts: string[] = [];
    const leave = await gate.enter(claim({ workspaceId: 'z' }));
    const calls = [...'aaaabab'].map((workspaceId) => track(gate, workspaceId, starts, { workspaceId }));
    leave();
    for (const call of calls) void call.then((over) => over());
    await inTime(Promise.all(calls));
    expect(starts.join('')).toBe('ababaaa');
  });

  it('refuses at once when the queue is full, with the time that it needs by its own experience', async () => {
    const gate = open(1, { queue: 3 });
    const leave = await gate.enter(claim());
    leave();
    const running = await gate.enter(claim());
    // Two thirds are as much as one workspace gets.
    void gate.enter(claim()).catch(() => undefined);
    void gate.enter(claim()).catch(() => undefined);
    await expect(gate.enter(claim())).rejects.toMatchObject({ code: 'unavailable', retryable: true, retryAfterSeconds: 1 });
    expect(() => gate.assertRoom(claim())).toThrow(AppError);
    // Another one finds room, and what has been let in before is not refused.
    gate.assertRoom(claim({ workspaceId: 'b' }));
    gate.assertRoom(claim({ refusable: false }));
    running();
  });

  it('tells the seconds that calls have really taken', async () => {
    jest.useFakeTimers();
    try {
      const gate = open(2, { queue: 5 });
      for (let call = 0; call < 4; call++) {
        const leave = await gate.enter(claim());
        jest.advanceTimersByTime(8_000);
        leave();
      }
      await gate.enter(claim());
      await gate.enter(claim());
      const waiters: Waiter[] = [];
      for (const workspaceId of ['a', 'a', 'b', 'c']) void gate.enter(claim({ workspaceId }), (waiter) => waiters.push(waiter));
      expect(waiters.map((waiter) => gate.place(waiter))).toEqual([
        // Workspace a has just been served.
        { position: 3, etaSeconds: 12 },
        { position: 4, etaSeconds: 16 },
        { position: 1, etaSeconds: 4 },
        { position: 2, etaSeconds: 8 },
      ]);
      await expect(gate.enter(claim({ workspaceId: 'a' }))).rejects.toMatchObject({ retryAfterSeconds: 16 });
    } finally {
      jest.useRealTimers();
    }
  });

  it('lets people go before batches, and a batch after four of them', async () => {
    const gate = open(1);
    const starts: string[] = [];
    const leave = await gate.enter(claim({ workspaceId: 'z' }));
    const calls = [...'bbiiiiiiii'].map((name) => track(gate, name, starts, { urgency: name === 'b' ? 'batch' : 'interactive' }));
    leave();
    for (const call of calls) void call.then((over) => over());
    await inTime(Promise.all(calls));
    expect(starts.join('')).toBe('iiiibiiiib');
  });

  it('keeps one of several places from batches', async () => {
    const gate = open(3);
    const starts: string[] = [];
    for (const name of ['b1', 'b2', 'b3']) void track(gate, name, starts, { urgency: 'batch' });
    void track(gate, 'i', starts);
    await heard();
    expect(starts).toEqual(['b1', 'b2', 'i']);
  });

  it('who is cancelled leaves the queue at once, before it or in it', async () => {
    const gate = open(1);
    const leave = await gate.enter(claim());
    const abort = new AbortController();
    const waits = gate.enter(claim({ signal: abort.signal }));
    const next = gate.enter(claim());
    waits.catch(() => undefined);
    abort.abort();
    expect(gate.waiting('interactive')).toBe(1);
    await expect(waits).rejects.toMatchObject({ code: 'cancelled' });
    await expect(gate.enter(claim({ signal: abort.signal }))).rejects.toMatchObject({ code: 'cancelled' });
    leave();
    (await inTime(next))();
    expect([gate.inUse, gate.waiting('interactive')]).toEqual([0, 0]);
  });

  it('gives up after the time that a call may wait', async () => {
    const gate = open(1, { seconds: 0.02 });
    await gate.enter(claim());
    const message: unknown = expect.stringContaining('has waited 0.02 s');
    await expect(inTime(gate.enter(claim()))).rejects.toMatchObject({ code: 'unavailable', message });
    expect(gate.waiting('interactive')).toBe(0);
  });

  it('refuses who waits when it closes, but what belongs to calls that are in', async () => {
    const gate = open(1);
    const leave = await gate.enter(claim());
    const waits = gate.enter(claim());
    const belongs = gate.enter(claim({ refusable: false, drained: false }));
    gate.close();
    await expect(waits).rejects.toMatchObject({ code: 'unavailable', message: 'The server is stopping.' });
    await expect(gate.enter(claim())).rejects.toMatchObject({ code: 'unavailable', message: 'The server is stopping.' });
    leave();
    (await inTime(belongs))();
  });

  it('with arrivals, cancels and failures in any order: never more in than may be, nobody forgotten, equal shares', async () => {
    const arrive = fc.record({
      does: fc.constant('arrive' as const),
      workspaceId: fc.constantFrom('a', 'b', 'c'),
      urgency: fc.constantFrom<Urgency>('interactive', 'batch'),
      refusable: fc.boolean(),
    });
    const other = fc.record({ does: fc.constantFrom('leave' as const, 'cancel' as const), at: fc.nat(20) });
    const plan = fc.record({
      concurrency: fc.integer({ min: 1, max: 4 }),
      queue: fc.integer({ min: 0, max: 8 }),
      steps: fc.array(fc.oneof(arrive, other), { maxLength: 80 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ concurrency, queue, steps }) => {
        const gate = open(concurrency, { queue });
        const rig = new GateRig(gate, concurrency);
        for (const step of steps) {
          if (step.does === 'arrive') rig.arrive(step);
          else if (step.does === 'leave') rig.leave(step.at);
          else rig.cancel(step.at);
          await heard();
          rig.check();
        }
        await rig.drain();
        expect([gate.inUse, gate.waiting('interactive'), gate.waiting('batch')]).toEqual([0, 0, 0]);
      }),
      { numRuns: 300, endOnFailure: true, timeout: 5_000 },
    );
  }, 60_000);
});

interface Call {
  workspaceId: string;
  urgency: Urgency;
  abort: AbortController;
  state: 'waiting' | 'in' | 'refused' | 'cancelled' | 'over';
  leave?: Leave;
}

/** Drives one gate and counts with it. */
class GateRig {
  private readonly calls: Call[] = [];
  /** By how many starts the first workspace of a pair is ahead of the second since both wait in a queue. */
  private readonly ahead = new Map<string, number>();

  constructor(
    private readonly gate: ModelGate,
    private readonly concurrency: number,
  ) {}

  arrive({ workspaceId, urgency, refusable }: Pick<Claim, 'workspaceId' | 'urgency' | 'refusable'>): void {
    const call: Call = { workspaceId, urgency, abort: new AbortController(), state: 'waiting' };
    this.calls.push(call);
    this.gate.enter(claim({ workspaceId, urgency, refusable, signal: call.abort.signal })).then(
      (leave) => this.started(call, leave),
      (error: AppError) => {
        call.state = error.code === 'cancelled' ? 'cancelled' : 'refused';
        if (call.state === 'refused') expect([refusable, error.retryAfterSeconds]).toEqual([true, expect.any(Number)]);
      },
    );
  }

  leave(at: number): void {
    const call = this.calls.filter(({ state }) => state === 'in').at(at);
    if (call === undefined) return;
    call.state = 'over';
    call.leave?.();
  }

  cancel(at: number): void {
    this.waiting().at(at)?.abort.abort();
  }

  check(): void {
    const inside = this.calls.filter(({ state }) => state === 'in').length;
    expect(inside).toBeLessThanOrEqual(this.concurrency);
    expect(this.gate.inUse).toBe(inside);
    expect(this.gate.waiting('interactive') + this.gate.waiting('batch')).toBe(this.waiting().length);
    // Nobody who may start is forgotten; the last of several places is never a batch's.
    const interactive = this.waiting('interactive').length;
    const batches = this.calls.filter(({ state, urgency }) => state === 'in' && urgency === 'batch').length;
    if (inside < this.concurrency) {
      expect(interactive).toBe(0);
      if (batches < Math.max(1, this.concurrency - 1)) expect(this.waiting().map(({ workspaceId }) => workspaceId)).toEqual([]);
    }
  }

  async drain(): Promise<void> {
    while (this.calls.some(({ state }) => state === 'in')) {
      this.leave(0);
      await heard();
      this.check();
    }
    expect(this.waiting().map(({ workspaceId }) => workspaceId)).toEqual([]);
  }

  private started(call: Call, leave: Leave): void {
    const rivals = new Set(this.waiting(call.urgency).map(({ workspaceId }) => workspaceId));
    call.state = 'in';
    call.leave = leave;
    const still = new Set(this.waiting(call.urgency).map(({ workspaceId }) => workspaceId));
    const key = (one: string, two: string): string => `${call.urgency} ${one} ${two}`;
    for (const rival of rivals) {
      if (rival === call.workspaceId) continue;
      const now = (this.ahead.get(key(call.workspaceId, rival)) ?? 0) + 1;
      this.ahead.set(key(call.workspaceId, rival), now);
      this.ahead.set(key(rival, call.workspaceId), -now);
      expect(now).toBeLessThanOrEqual(1);
    }
    for (const pair of this.ahead.keys()) {
      const [urgency, one, two] = pair.split(' ');
      if (urgency === call.urgency && !(still.has(one ?? '') && still.has(two ?? ''))) this.ahead.delete(pair);
    }
  }

  private waiting(urgency?: Urgency): Call[] {
    return this.calls.filter((call) => call.state === 'waiting' && (urgency === undefined || call.urgency === urgency));
  }
}
