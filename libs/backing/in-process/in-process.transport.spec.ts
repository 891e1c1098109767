import { JOB_PATTERN, type JobMessage } from '@kernel/jobs';
import { of } from 'rxjs';
import { InProcessTransport } from './in-process.transport';

interface Held {
  message: JobMessage;
  finish(): void;
}

/** A transport whose consumer holds every job until the test lets it go. */
function bench(concurrency: Record<string, number>) {
  const transport = new InProcessTransport(concurrency);
  const held: Held[] = [];
  transport.addHandler(JOB_PATTERN, async (message: JobMessage) => {
    await new Promise<void>((finish) => held.push({ message, finish }));
    return of(undefined);
  });
  const ids = (): string[] => held.map(({ message }) => message.job_id);
  const publish = (kind: string, ...jobs: string[]) => Promise.all(jobs.map((job_id) => transport.publish({ job_id, kind, version: 1 })));
  return { transport, held, ids, publish };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const listen = (transport: InProcessTransport) => transport.listen(() => undefined);

describe('InProcessTransport', () => {
  it('keeps messages until it listens, then runs so many of each kind, first come first served', async () => {
    const { transport, held, ids, publish } = bench({ a: 2 });
    await publish('a', '1', '2', '3', '4');
    await publish('b', '5', '6');
    expect(ids()).toEqual([]);
    listen(transport);
    expect(ids()).toEqual(['1', '2', '5']);
    held[0]?.finish();
    await settle();
    expect(ids()).toEqual(['1', '2', '5', '3']);
    held[2]?.finish();
    await settle();
    expect(ids()).toEqual(['1', '2', '5', '3', '6']);
  });

  it('tells how many wait in a lane, each version being one of its own', async () => {
    const { transport, held, publish } = bench({ a: 1 });
    listen(transport);
    await publish('a', '1', '2', '2');
    expect(await transport.waiting({ kind: 'a', version: 1 })).toBe(2);
    expect(await transport.waiting({ kind: 'a', version: 2 })).toBe(0);
    await transport.publish({ job_id: '3', kind: 'a', version: 2 });
    expect(held.map(({ message }) => message)).toEqual([
      { job_id: '1', kind: 'a', version: 1 },
      { job_id: '3', kind: 'a', version: 2 },
    ]);
  });

  it('goes on after a consumer that throws', async () => {
    const transport = new InProcessTransport({ a: 1 });
    const seen: string[] = [];
    transport.addHandler(JOB_PATTERN, async (message: JobMessage) => {
      seen.push(message.job_id);
      if (message.job_id === '1') throw new Error('broken');
      return of(undefined);
    });
    Object.defineProperty(transport, 'logger', { value: { error: (line: string) => seen.push(line) } });
    listen(transport);
    await Promise.all(['1', '2'].map((job_id) => transport.publish({ job_id, kind: 'a', version: 1 })));
    await settle();
    expect(seen).toEqual(['1', 'The consumer failed at job 1: broken', '2']);
  });

  it('dispatches nothing and takes nothing once closed', async () => {
    const { transport, held, ids, publish } = bench({ a: 1 });
    listen(transport);
    await publish('a', '1', '2');
    transport.close();
    held[0]?.finish();
    await settle();
    expect(ids()).toEqual(['1']);
    await expect(publish('a', '3')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('fails to start without a consumer', () => {
    const failures: unknown[] = [];
    new InProcessTransport().listen((error) => failures.push(error));
    expect(failures).toEqual([expect.any(Error)]);
  });
});
