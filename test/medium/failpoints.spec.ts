import { join } from 'node:path';
import { Replica } from '../support/replicas';

interface Hit {
  name: string;
  point: string;
  go(): void;
}
interface Board {
  readonly connected: string[];
  environmentOf(name: string): Record<string, string>;
  arm(arm: { point: string; mode?: string; milliseconds?: number }): Promise<void>;
  hit(milliseconds: number): Promise<Hit>;
  reached(): { point: string; mode: string; name: string }[];
  close(): Promise<void>;
}
const FUZZ_MODEL = ['--require', join(__dirname, '..', 'fuzz', 'fuzz-model.cjs')];
const POINTED = ['--require', join(__dirname, '..', 'faults', 'failpoints', 'product.cjs')];
const MODELS = { CHAT_MODEL: 'scripted', EMBEDDING_MODEL: 'scripted-embedding' };
const DEADLINE_MS = 20_000;

describe('failpoints in a process of the product', () => {
  let board: Board;
  let replica: Replica;
  let token: string;
  let count = 0;

  async function start(flags: string[]): Promise<void> {
    const { Switchboard } = (await import(join(__dirname, '..', 'faults', 'failpoints', 'switchboard.mjs'))) as {
      Switchboard: { open(): Promise<Board> };
    };
    board = await Switchboard.open();
    replica = await Replica.start({ ...MODELS, ...board.environmentOf('api') }, [...flags, ...FUZZ_MODEL]);
    token = await replica.register(`someone${(count += 1)}@example.org`);
  }
  const upload = (): ReturnType<Replica['ask']> =>
    replica.ask('/api/v1/documents', token, { name: 'x', text: `The ferry number ${(count += 1)} leaves at noon.` });
  const ended = async (accepted: Record<string, unknown>): Promise<string> => {
    const path = `/api/v1/jobs/${(accepted.job as { id: string }).id}`;
    for (const deadline = performance.now() + DEADLINE_MS; performance.now() < deadline; ) {
      const { json } = await replica.ask(path, token);
      if (['succeeded', 'failed', 'cancelled'].includes(String(json.status))) return String(json.status);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('The job did not end.');
  };
  afterEach(async () => {
    await replica.stop();
    await board.close();
  });

  it('are not there in the build as it is shipped, whatever the environment says', async () => {
    await start([]);
    await board.arm({ point: 'P8', mode: 'kill' });
    const { status, json } = await upload();
    expect(status).toBe(202);
    expect(await ended(json)).toBe('succeeded');
    expect(board.connected).toEqual([]);
    expect(board.reached()).toEqual([]);
  });

  it('hold a flow until they are told, delay it, break it, and kill its process', async () => {
    await start(POINTED);
    expect(board.connected).toEqual(['api']);

    await board.arm({ point: 'P2' });
    const asking = upload();
    const hit = await board.hit(DEADLINE_MS);
    expect([hit.name, hit.point]).toEqual(['api', 'P2']);
    let isAnswered = false;
    void asking.then(() => (isAnswered = true));
    // Another request of the same process goes through meanwhile.
    expect((await replica.ask('/livez')).status).toBe(200);
    expect(isAnswered).toBe(false);
    hit.go();
    expect((await asking).status).toBe(202);

    await board.arm({ point: 'P0', mode: 'delay', milliseconds: 300 });
    const delayed = await upload();
    expect([delayed.status, delayed.milliseconds >= 300]).toEqual([202, true]);

    await board.arm({ point: 'P0', mode: 'throw' });
    expect((await upload()).status).toBe(500);

    await board.arm({ point: 'P8', mode: 'kill' });
    await upload();
    expect(await replica.ended()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(board.reached().map(({ point, mode }) => `${point} ${mode}`)).toEqual(['P2 pause', 'P0 delay', 'P0 throw', 'P8 kill']);
  });
});
