import { MemoryAttempts } from './memory-attempts';

class AttemptsAt extends MemoryAttempts {
  time = 600_000;
  protected override readonly now = () => this.time;
}

describe('MemoryAttempts', () => {
  it('counts in a window that slides, and says when there is room', async () => {
    const attempts = new AttemptsAt();
    expect(await attempts.take('a', 2, 60)).toBe(0);
    attempts.time += 20_000;
    expect(await attempts.take('a', 2, 60)).toBe(0);
    attempts.time += 10_000;
    expect(await attempts.take('a', 2, 60)).toBe(30_000);
    expect(await attempts.take('b', 2, 60)).toBe(0);
    attempts.time += 30_000;
    expect(await attempts.take('a', 2, 60)).toBe(0);
    expect(await attempts.take('a', 2, 60)).toBe(20_000);
  });

  it('uncounts what proved to be rightful', async () => {
    const attempts = new AttemptsAt();
    for (let count = 0; count < 5; count += 1) {
      expect(await attempts.take('a', 1, 60)).toBe(0);
      await attempts.giveBack('a');
    }
    expect(await attempts.take('a', 1, 60)).toBe(0);
    expect(await attempts.take('a', 1, 60)).toBe(60_000);
  });
});
