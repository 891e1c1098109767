import { JointWork } from './joint-work';
import { Until } from './within';

const never = new AbortController().signal;
const SECONDS = 60;

describe('JointWork', () => {
  let begun: { signal: AbortSignal; end(value: number): void; fail(error: Error): void }[];
  let joint: JointWork<number>;
  beforeEach(() => {
    jest.useFakeTimers();
    begun = [];
    joint = new JointWork(
      (signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<number>();
        begun.push({ signal, end: resolve, fail: reject });
        signal.addEventListener('abort', () => reject(new Error('broken off')));
        return promise;
      },
      () => new Until(SECONDS, 'The work'),
    );
  });
  afterEach(() => jest.useRealTimers());
  const turn = () => jest.advanceTimersByTimeAsync(0);

  it('is done once for all who wait, and anew for who comes later', async () => {
    const both = Promise.all([joint.join(never), joint.join(never)]);
    await turn();
    begun[0]?.end(1);
    expect(await both).toEqual([1, 1]);
    const later = joint.join(never);
    await turn();
    begun[1]?.end(2);
    expect(await later).toBe(2);
    expect(begun).toHaveLength(2);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is broken off a second after the last was called away, not while another waits', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [first, second].map(({ signal }) => joint.join(signal).catch((error: unknown) => error));
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
    const left = joint.join(away.signal).catch((error: unknown) => error);
    await turn();
    away.abort();
    await left;
    await jest.advanceTimersByTimeAsync(500);
    const back = new AbortController();
    const again = joint.join(back.signal).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(begun.map(({ signal }) => signal.aborted)).toEqual([false]);
    back.abort();
    await again;
    await jest.advanceTimersByTimeAsync(1_000);
    const anew = joint.join(never);
    await turn();
    begun[1]?.end(3);
    expect(await anew).toBe(3);
    expect(begun.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });

  it('has one deadline for all: who comes when it is over waits no longer, and it goes on', async () => {
    const late = joint.join(never).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(SECONDS * 1_000);
    expect(await late).toMatchObject({ code: 'timeout' });
    const later = joint.join(never).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(1);
    expect(await later).toMatchObject({ code: 'timeout' });
    expect(begun.map(({ signal }) => signal.aborted)).toEqual([false]);
    begun[0]?.end(4);
    await turn();
    const next = joint.join(never);
    await turn();
    begun[1]?.end(5);
    expect(await next).toBe(5);
  });
});
