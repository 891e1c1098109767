import { DeltaWriter } from './delta-writer.service';

/** A context that records what is emitted; `fail` makes the next event reject. */
function recorder() {
  const texts: string[] = [];
  const state = { fail: undefined as Error | undefined };
  const emit = async (_event: string, data: object): Promise<void> => {
    if (state.fail !== undefined) throw state.fail;
    texts.push((data as { text: string }).text);
  };
  return { texts, state, writer: new DeltaWriter({ emit }) };
}

describe('DeltaWriter', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('sends the first piece at once and joins those of the next 50 ms', async () => {
    const { texts, writer } = recorder();
    await writer.write('a');
    expect(texts).toEqual(['a']);
    await writer.write('b');
    await jest.advanceTimersByTimeAsync(49);
    await writer.write('c');
    expect(texts).toEqual(['a']);
    await jest.advanceTimersByTimeAsync(1);
    expect(texts).toEqual(['a', 'bc']);
  });

  it('sends after 20 pieces without waiting', async () => {
    const { texts, writer } = recorder();
    await writer.write('0');
    for (let n = 1; n <= 20; n += 1) await writer.write(String(n % 10));
    expect(texts).toEqual(['0', '12345678901234567890']);
  });

  it('loses nothing and keeps the order when flushed', async () => {
    const { texts, writer } = recorder();
    const pieces = Array.from({ length: 137 }, (_, n) => `${n};`);
    for (const piece of pieces) void writer.write(piece);
    await writer.flush();
    expect(texts.join('')).toBe(pieces.join(''));
    expect(texts.length).toBeLessThanOrEqual(8);
  });

  it('rejects the next write after an event that failed in the background, and sends no more', async () => {
    const { texts, state, writer } = recorder();
    await writer.write('a');
    await writer.write('b');
    state.fail = new Error('lease lost');
    await jest.advanceTimersByTimeAsync(50);
    state.fail = undefined;
    await expect(writer.write('c')).rejects.toThrow('lease lost');
    await expect(writer.flush()).rejects.toThrow('lease lost');
    expect(texts).toEqual(['a']);
  });
});
