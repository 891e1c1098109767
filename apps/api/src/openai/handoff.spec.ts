import { handoff } from './handoff';

describe('handoff', () => {
  it('gives what was pushed, in order, one at a time', async () => {
    const log: string[] = [];
    const values = handoff<number>(async (push) => {
      for (const value of [1, 2, 3]) {
        await push(value);
        log.push(`taken ${value}`);
      }
    });
    for await (const value of values) log.push(`got ${value}`);
    expect(log).toEqual(['got 1', 'taken 1', 'got 2', 'taken 2', 'got 3', 'taken 3']);
  });

  it('is empty when nothing was pushed', async () => {
    expect((await handoff<number>(async () => undefined).next()).done).toBe(true);
  });

  it('throws what the producer throws, after what it pushed', async () => {
    const values = handoff<number>(async (push) => {
      await push(1);
      throw new Error('broken');
    });
    expect((await values.next()).value).toBe(1);
    await expect(values.next()).rejects.toThrow('broken');
  });

  it('stops the producer when the iteration ends early', async () => {
    let reason: unknown;
    const values = handoff<number>(async (push) => {
      try {
        for (let value = 0; ; value += 1) await push(value);
      } catch (error) {
        reason = error;
        throw error;
      }
    });
    for await (const value of values) if (value === 2) break;
    await new Promise(setImmediate);
    expect(reason).toEqual(new Error('Nobody reads any more.'));
  });
});
