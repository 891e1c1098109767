import type { ServerResponse } from 'node:http';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { EgressClient, type FetchLimits } from '@backing/egress';
import { parseConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { CanaryHttp } from '../network/canary-http';
import { SimulatedInternet } from '../network/simulated-internet';

const MEBIBYTE = 1_048_576;
const LARGE = 100 * MEBIBYTE;
const ZEROS = Buffer.alloc(LARGE);
const BROTLI = brotliCompressSync(ZEROS, {
  params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: LARGE },
});
const BOMBS: [string, Buffer][] = [
  ['gzip', gzipSync(ZEROS)],
  ['deflate', deflateSync(ZEROS)],
  ['br', BROTLI],
];

/** Answers of a server that wants to exhaust whoever asks it. */
describe('what comes back from an address', () => {
  let canary: CanaryHttp;
  let internet: SimulatedInternet;
  let client: EgressClient;

  beforeAll(async () => {
    canary = await CanaryHttp.start();
    internet = new SimulatedInternet(canary);
    client = new EgressClient(parseConfig({}), internet.resolver, internet.connector);
  });
  beforeEach(() => {
    canary.forget();
    internet.forget();
    internet.names['public.test'] = [['93.184.216.34']];
  });
  afterAll(() => canary.close());

  async function outcome(change: Partial<FetchLimits> = {}): Promise<{ outcome: string; bytes: number }> {
    let bytes = 0;
    try {
      const limits = { maxBytes: MEBIBYTE, seconds: 20, signal: new AbortController().signal, ...change };
      const { content } = await client.fetch('http://public.test/', limits);
      for await (const part of content) bytes += (part as Buffer).length;
      return { outcome: 'read', bytes };
    } catch (error) {
      if (error instanceof AppError) return { outcome: error.code, bytes };
      throw error;
    }
  }
  const answering = (answer: (response: ServerResponse) => unknown): void => {
    canary.answer = (_request, response) => void answer(response);
  };

  it.each(BOMBS)('K08 a bomb of %s stops at the first byte too many', async (encoding, bomb) => {
    expect(bomb.length).toBeLessThan(MEBIBYTE / 2);
    answering((response) => response.writeHead(200, { 'content-encoding': encoding }).end(bomb));
    const before = process.memoryUsage().arrayBuffers;
    const { outcome: code, bytes } = await outcome();
    expect(code).toBe('too_large');
    expect(bytes).toBeLessThanOrEqual(MEBIBYTE);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(LARGE / 2);
  });

  it('K08 a bomb within a bomb is not asked for', async () => {
    answering((response) => response.writeHead(200, { 'content-encoding': 'gzip, gzip' }).end(gzipSync(gzipSync(ZEROS))));
    expect((await outcome()).outcome).toBe('unprocessable');
  });

  it.each(['compress', 'zstd', 'gzip;q=1', '__proto__', 'constructor', 'toString'])('K08 the packing %s is unknown', async (encoding) => {
    answering((response) => response.writeHead(200, { 'content-encoding': encoding }).end('text'));
    expect((await outcome()).outcome).toBe('unprocessable');
  });

  it('K08 too much is refused when it is announced, before any of it is read', async () => {
    let written = 0;
    answering((response) => {
      response.writeHead(200, { 'content-length': LARGE });
      written += response.write(Buffer.alloc(1)) ? 1 : 0;
    });
    expect(await outcome({ seconds: 5 })).toEqual({ outcome: 'too_large', bytes: 0 });
    expect(written).toBe(1);
  });

  it('K08 too much is refused when it is not announced', async () => {
    answering((response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(ZEROS.subarray(0, 65_536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    const { outcome: code, bytes } = await outcome();
    expect(code).toBe('too_large');
    expect(bytes).toBeLessThanOrEqual(MEBIBYTE);
  });

  it('K08 what is packed is counted as it comes, too', async () => {
    // Stored blocks: the packed form is larger than the limit, and what it holds is not looked at.
    const packed = gzipSync(Buffer.alloc(2 * MEBIBYTE, 'x'), { level: 0 });
    answering((response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed));
    expect((await outcome({ maxDecodedBytes: 10 * MEBIBYTE })).outcome).toBe('too_large');
  });

  it('K08 a server that never answers, or drips, is left in time', async () => {
    answering(() => undefined);
    expect((await outcome({ seconds: 0.2 })).outcome).toBe('timeout');
    answering((response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write('x'), 20);
      response.once('close', () => clearInterval(drip));
    });
    expect((await outcome({ seconds: 0.3 })).outcome).toBe('timeout');
    answering((response) => {
      const drip = setInterval(() => response.socket?.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 20);
      response.once('close', () => clearInterval(drip));
    });
    expect((await outcome({ seconds: 0.3 })).outcome).toBe('timeout');
  }, 5_000);

  it('A04 a chain of redirects has one time for all of it', async () => {
    canary.answer = (request, response) =>
      void setTimeout(() => response.writeHead(302, { location: `/${Number(request.url?.slice(1)) + 1}` }).end(), 150);
    const started = performance.now();
    expect((await outcome({ seconds: 0.4 })).outcome).toBe('timeout');
    expect(performance.now() - started).toBeLessThan(2_000);
  }, 5_000);

  it('K08 headers are bounded', async () => {
    answering((response) => {
      const headers = Array.from({ length: 40 }, (_, index) => `x-${index}: ${'y'.repeat(1_000)}\r\n`).join('');
      response.socket?.end(`HTTP/1.1 200 OK\r\n${headers}content-length: 2\r\n\r\nok`);
    });
    expect((await outcome()).outcome).toBe('unavailable');
  });

  it('A08 a name that is never answered is left in time', async () => {
    const silent = new EgressClient(parseConfig({}), { resolve: () => new Promise<string[]>(() => undefined) }, internet.connector);
    const limits = { maxBytes: 1, seconds: 0.2, signal: new AbortController().signal };
    await expect(silent.fetch('http://public.test/', limits)).rejects.toMatchObject({ code: 'timeout' });
    expect(internet.dialled).toEqual([]);
  });

  it('A01 nothing of ours is sent: no cookie, no credential, no proxy of the environment', async () => {
    answering((response) => response.writeHead(302, { location: '/b', 'set-cookie': 'a=b' }).end());
    await outcome();
    for (const { headers } of canary.requests)
      expect(Object.keys(headers).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host', 'user-agent']);
    expect(canary.requests.length).toBe(6);
  });
});
