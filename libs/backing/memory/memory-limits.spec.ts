import { MemoryLimits } from './memory-limits';

class LimitsAt extends MemoryLimits {
  time = 600_000;
  protected override readonly now = () => this.time;
}

describe('MemoryLimits', () => {
  it('lets exactly the limit through in one minute, whoever asks at once', async () => {
    const limits = new LimitsAt();
    const answers = await Promise.all(Array.from({ length: 10 }, () => limits.take('a', 7)));
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(7);
    expect(answers.map(({ remaining }) => remaining)).toEqual([6, 5, 4, 3, 2, 1, 0, 0, 0, 0]);
    expect(answers[9]).toEqual({ allowed: false, limit: 7, remaining: 0, resetSeconds: 60 });
  });

  it('keeps keys apart and starts anew with the next minute', async () => {
    const limits = new LimitsAt();
    await limits.take('a', 1);
    limits.time += 59_500;
    expect(await limits.take('a', 1)).toMatchObject({ allowed: false, resetSeconds: 1 });
    expect(await limits.take('b', 1)).toMatchObject({ allowed: true, remaining: 0 });
    limits.time += 500;
    expect(await limits.take('a', 1)).toMatchObject({ allowed: true, resetSeconds: 60 });
  });

  it('forgets the oldest key under a flood of keys, and only that', async () => {
    const limits = new LimitsAt();
    for (let key = 0; key <= 100_000; key += 1) await limits.take(String(key), 1);
    expect(await limits.take('1', 1)).toMatchObject({ allowed: false });
    expect(await limits.take('0', 1)).toMatchObject({ allowed: true });
  });
});
