import { TurnQueue } from './turn.queue';

describe('TurnQueue', () => {
  it('gives turns one at a time, soon before later, first come first served within a class', async () => {
    const queue = new TurnQueue();
    const first = await queue.take('soon');
    const order: string[] = [];
    const note = (name: string) => (release: () => void) => {
      order.push(name);
      release();
    };
    const all = Promise.all([
      queue.take('later').then(note('later 1')),
      queue.take('soon').then(note('soon 1')),
      queue.take('later').then(note('later 2')),
      queue.take('soon').then(note('soon 2')),
    ]);
    expect(order).toEqual([]);
    first();
    await all;
    expect(order).toEqual(['soon 1', 'soon 2', 'later 1', 'later 2']);
    expect(queue.busy).toBe(false);
  });

  it('keeps later out between the turns of a reservation', async () => {
    const queue = new TurnQueue();
    const end = queue.reserve();
    let ingested = false;
    const ingestion = queue.take('later').then((release) => {
      ingested = true;
      release();
    });
    for (let step = 0; step < 3; step++) (await queue.take('soon'))();
    expect(ingested).toBe(false);
    end();
    await ingestion;
    expect(ingested).toBe(true);
  });

  it('lets later go once its patience is over although a reservation stands', async () => {
    const queue = new TurnQueue(20);
    queue.reserve();
    const release = await queue.take('later');
    expect(queue.busy).toBe(true);
    release();
  });

  it('forgets a waiter whose signal aborts and gives its turn to the next', async () => {
    const queue = new TurnQueue();
    const first = await queue.take('soon');
    const abort = new AbortController();
    const abandoned = queue.take('soon', abort.signal);
    const next = queue.take('soon');
    abort.abort(new Error('gone'));
    await expect(abandoned).rejects.toThrow('gone');
    expect(queue.length).toBe(1);
    first();
    first();
    (await next)();
    await expect(queue.take('soon', abort.signal)).rejects.toThrow('gone');
    expect(queue.busy).toBe(false);
  });
});
