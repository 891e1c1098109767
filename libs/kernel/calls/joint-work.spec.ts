import { JointWork } from './joint-work';

const never = new AbortController().signal;
const limits = (signal: AbortSignal = never, seconds = 60) => ({ signal, seconds, what: 'The work' });

describe('JointWork', () => {
  let begun: { signal: AbortSignal; end(value: number): void; fail(error: Error): void }[];
  let joint: JointWork<number>;
  beforeEach(() => {
    jest.useFakeTimers();
    begun = [];
    joint = new JointWork((signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      begun.push({ signal, end: resolve, fail: reject });
      signal.addEventListener('abort', () => reject(new Error('broken off')));
      return promise;
    });
  });
  afterEach(() => jest.useRealTimers());
  const turn = () => jest.advanceTimersByTimeAsync(0);

  it('is done once for all who wait, and anew for who comes later', async () => {
    const both = Promise.all([joint.join(limits()), joint.join(limits())]);
    await turn();
    begun[0]?.end(1);
    expect(await both).toEqual([1, 1]);
    const later = joint.join(limits());
    await turn();
    begun[1]?.end(2);
    expect(await later).toBe(2);
    expect(begun).toHaveLength(2);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is broken off a second after the last was called away, not while another waits', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [first, second].map(({ signal }) => joint.join(limits(signal)).catch((error: unknown) => error));
    await turn();
    first.abort();
    expect(await waits[0]).toMatchObject({ code: 'cancelled' });
    await jest.advanceTimersByTimeAsync(5_000);
    expect(begun[0]?.signal.aborted).toBe(false);
    second.abort();
    expect(await waits[1]).toMatchObject({ code: 'cancelled' });
    await jest.advanceTimersByTimeAsync(999);
    expect(begun[0]?.signal.aborted).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(begun[0]?.signal.aborted).toBe(true);
    await joint.settled;
  });

  it('is found by who comes back within the second, and begun anew by who comes later', async () => {
    const away = new AbortController();
    const left = joint.join(limits(away.signal)).catch((error: unknown) => error);
    await turn();
    away.abort();
    await left;
    await jest.advanceTimersByTimeAsync(500);
    const back = new AbortController();
    const again = joint.join(limits(back.signal)).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(begun.map(({ signal }) => signal.aborted)).toEqual([false]);
    back.abort();
    await again;
    await jest.advanceTimersByTimeAsync(1_000);
    const anew = joint.join(limits());
    await turn();
    begun[1]?.end(3);
    expect(await anew).toBe(3);
    expect(begun.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });

  it('goes on for the next when a deadline ended the waiting', async () => {
    const late = joint.join(limits(never, 1)).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await late).toMatchObject({ code: 'timeout' });
    await jest.advanceTimersByTimeAsync(10_000);
    const next = joint.join(limits());
    begun[0]?.end(4);
    expect(await next).toBe(4);
    expect(begun).toHaveLength(1);
  });
});
