import { MemoryFanout } from '@backing/memory';
import { JobSignals } from './job-signals.service';

const never = new AbortController().signal;

describe('JobSignals', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('remembers a word that came while the reader was busy, once', async () => {
    const signals = new JobSignals(new MemoryFanout());
    const reader = signals.subscribe('a');
    signals.notify('a');
    signals.notify('a');
    await reader.next(60_000, never);
    let heard = false;
    void reader.next(60_000, never).then(() => (heard = true));
    await jest.advanceTimersByTimeAsync(59_999);
    expect(heard).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(heard).toBe(true);
  });

  it('wakes readers of the job and of no other, and none that has closed', async () => {
    const signals = new JobSignals(new MemoryFanout());
    const heard: string[] = [];
    const readers = ['a', 'a', 'b'].map((id) => signals.subscribe(id));
    readers.forEach((reader, n) => void reader.next(60_000, never).then(() => heard.push(String(n))));
    readers[1]?.close();
    signals.notify('a');
    await jest.advanceTimersByTimeAsync(0);
    expect(heard).toEqual(['0']);
  });

  it('stops waiting when the reader leaves', async () => {
    const controller = new AbortController();
    const waiting = new JobSignals(new MemoryFanout()).subscribe('a').next(60_000, controller.signal);
    controller.abort();
    await waiting;
    expect(jest.getTimerCount()).toBe(0);
  });

  it('aborts the attempts of one job, or all, but none that is forgotten', () => {
    const signals = new JobSignals(new MemoryFanout());
    const watch = signals.watch();
    const [first, second, other, gone] = [watch.attempt('a'), watch.attempt('a'), watch.attempt('b'), watch.attempt('a')];
    watch.close();
    signals.forget('a', gone);
    signals.abort('a', new Error('why'));
    expect([first, second, other, gone].map(({ signal }) => signal.aborted)).toEqual([true, true, false, false]);
    expect(first.signal.reason).toEqual(new Error('why'));
    signals.abortAll(new Error('all'));
    expect(other.signal.aborted).toBe(true);
  });

  it('stops the attempts of a cancelled job in every process that hears the words', () => {
    const words = new MemoryFanout();
    const [asked, working] = [new JobSignals(words), new JobSignals(words)];
    const watch = working.watch();
    const [one, other] = [watch.attempt('a'), watch.attempt('b')];
    watch.close();
    const told: string[] = [];
    asked.onCancelled((jobId) => told.push(jobId));
    asked.cancelled('a');
    expect(one.signal.reason).toMatchObject({ code: 'cancelled' });
    expect(other.signal.aborted).toBe(false);
    expect(told).toEqual(['a']);
  });

  it('aborts an attempt whose job was cancelled while it was being claimed, and no later one', () => {
    const signals = new JobSignals(new MemoryFanout());
    const [watch, other] = [signals.watch(), signals.watch()];
    signals.abort('a', new Error('cancelled'));
    expect(watch.attempt('b').signal.aborted).toBe(false);
    expect(watch.attempt('a').signal.reason).toEqual(new Error('cancelled'));
    watch.close();
    other.close();
    expect(signals.watch().attempt('a').signal.aborted).toBe(false);
  });
});
