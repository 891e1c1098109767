import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { parseConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { EgressClient, type FetchLimits } from './egress.client';
import { HostResolver } from './host-resolver.service';
import { verified } from './pinned-connector';
import { SocketConnector } from './socket-connector.service';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers names from a table and counts what it is asked. */
class ListedHosts extends HostResolver {
  readonly asked: string[] = [];
  constructor(private readonly answers: Record<string, string[][]>) {
    super();
  }

  override resolve(host: string): Promise<string[]> {
    this.asked.push(host);
    const answers = this.answers[host];
    const answer = answers === undefined ? undefined : answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) throw new Error(`Nobody knows ${host}.`);
    return Promise.resolve(answer);
  }
}

describe('EgressClient', () => {
  let server: Server;
  let port: number;
  let answer: Answer;
  let requests: IncomingMessage[];
  const aborter = new AbortController();
  const limits: FetchLimits = { maxBytes: 100_000, seconds: 10, signal: aborter.signal };

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests.push(request);
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  beforeEach(() => (requests = []));
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const client = (allow = '127.0.0.1/32', resolver: HostResolver = new HostResolver()): EgressClient =>
    new EgressClient(parseConfig({ EGRESS_ALLOW: allow }), resolver, new SocketConnector());
  const read = async (url: string, change: Partial<FetchLimits> = {}, from = client()): Promise<string> => {
    const { content } = await from.fetch(url, { ...limits, ...change });
    return (await buffer(content)).toString();
  };
  const code = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'passed',
      (error: unknown) => (error instanceof AppError ? error.code : `no AppError: ${String(error)}`),
    );
  const here = (path = '/'): string => `http://127.0.0.1:${port}${path}`;
  const redirecting = (location: string, status = 302): void => {
    answer = (_request, response) => response.writeHead(status, { location }).end('elsewhere');
  };

  it('fetches a document with its headers and sends nothing of ours', async () => {
    answer = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'content-disposition': 'attachment; filename="a.txt"' })
        .end('hello');
    const found = await client().fetch(here('/x?y=1#z'), { ...limits, accept: 'text/*' });
    expect((await buffer(found.content)).toString()).toBe('hello');
    expect(found).toMatchObject({ url: here('/x?y=1'), contentType: 'text/plain; charset=utf-8', fileName: 'a.txt' });
    const [request] = requests;
    expect(request?.url).toBe('/x?y=1');
    expect(Object.keys(request?.headers ?? {}).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host', 'user-agent']);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)('unpacks %s', async (encoding, pack) => {
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': encoding }).end(pack('ünpacked '.repeat(1000)));
    expect(await read(here())).toBe('ünpacked '.repeat(1000));
  });

  it.each(['gzip', 'br'])('stops a bomb of %s at the first byte too many', async (encoding) => {
    const zeros = Buffer.alloc(200_000_000);
    const bomb = encoding === 'gzip' ? gzipSync(zeros) : brotliCompressSync(zeros.subarray(0, 50_000_000));
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': encoding }).end(bomb);
    const before = process.memoryUsage().arrayBuffers;
    expect(await code(read(here(), { maxBytes: 1_000_000, maxDecodedBytes: 1_000_000 }))).toBe('too_large');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
  });

  it('stops what is too large, announced or not', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-length': 100_001 }).end(Buffer.alloc(100_001));
    expect(await code(client().fetch(here(), limits))).toBe('too_large');
    answer = (_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    };
    expect(await code(read(here()))).toBe('too_large');
  });

  it('refuses packing that is damaged, cut off or unknown', async () => {
    const packed = gzipSync('text '.repeat(5000));
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed.subarray(0, packed.length - 12));
    expect(await code(read(here()))).toBe('unprocessable');
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('no gzip at all');
    expect(await code(read(here()))).toBe('unprocessable');
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip, gzip' }).end(gzipSync(packed));
    expect(await code(read(here()))).toBe('unprocessable');
  });

  it('gives up in time: before the answer, within it, and when it is called back', async () => {
    answer = () => undefined;
    expect(await code(client().fetch(here(), { ...limits, seconds: 0.2 }))).toBe('timeout');
    answer = (_request, response) => void response.writeHead(200).write('first');
    expect(await code(read(here(), { seconds: 0.2 }))).toBe('timeout');
    const caller = new AbortController();
    answer = (_request, response) => {
      response.writeHead(200).write('first');
      caller.abort(new AppError('cancelled', 'Stopped.'));
    };
    expect(await code(read(here(), { signal: caller.signal }))).toBe('cancelled');
  });

  it('counts all of the time, also when something comes all the time', async () => {
    answer = (_request, response) => {
      response.writeHead(200);
      const more = setInterval(() => response.write('more '), 20);
      response.once('close', () => clearInterval(more));
    };
    expect(await code(read(here(), { seconds: 0.3, maxBytes: 400 }))).toBe('timeout');
  });

  it('closes its connection when nobody reads on', async () => {
    const gone = new Promise<void>((resolve) => {
      answer = (request, response) => {
        response.writeHead(200).write('first');
        request.socket.once('close', () => resolve());
      };
    });
    const { content } = await client().fetch(here(), limits);
    content.destroy();
    await gone;
  });

  it('follows five redirects and no sixth', async () => {
    answer = (request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end('arrived');
      else response.writeHead(302, { location: `/${left - 1}`, 'set-cookie': 'a=b' }).end();
    };
    expect(await read(here('/5'))).toBe('arrived');
    expect(requests.map((request) => request.headers.cookie)).toEqual(requests.map(() => undefined));
    expect(await code(read(here('/6')))).toBe('unprocessable');
  });

  describe.each([301, 302, 303, 307, 308])('a redirect with %d', (status) => {
    it.each([
      'http://[::1]:PORT/',
      'http://127.0.0.2:PORT/',
      'http://169.254.169.254/',
      'http://[::ffff:a00:1]/',
      'file:///etc/passwd',
      'http://a:b@127.0.0.1:PORT/',
    ])('to %s is not followed', async (target) => {
      redirecting(target.replace('PORT', String(port)), status);
      expect(await code(client().fetch(here(), limits))).toBe('egress_blocked');
      expect(requests).toHaveLength(1);
    });
  });

  it('judges the names that redirects lead to, and repeats no address', async () => {
    const hosts = new ListedHosts({ 'inside.test': [['10.0.0.7']] });
    redirecting('http://inside.test/');
    const failure = await client('127.0.0.1/32', hosts)
      .fetch(here(), limits)
      .catch((error: unknown) => error as AppError);
    expect(failure).toMatchObject({ code: 'egress_blocked', message: expect.not.stringMatching(/10\.0\.0\.7|inside/u) });
    expect(hosts.asked).toEqual(['inside.test']);
  });

  it('does not dial what a name must not lead to', async () => {
    for (const addresses of [['127.0.0.1'], ['::ffff:127.0.0.1'], ['1.1.1.1', '127.0.0.1'], []]) {
      const hosts = new ListedHosts({ 'outside.test': [addresses] });
      await expect(client('10.0.0.0/8', hosts).fetch(`http://outside.test:${port}/`, limits)).rejects.toMatchObject({
        code: 'egress_blocked',
        message: expect.stringContaining('not public'),
      });
    }
    expect(requests).toHaveLength(0);
  });

  it('asks for a name once: what it answers later is not connected to', async () => {
    answer = (_request, response) => response.end('the first');
    const hosts = new ListedHosts({ 'rebinding.test': [['127.0.0.1'], ['127.0.0.2']] });
    expect(await read(`http://rebinding.test:${port}/`, {}, client('127.0.0.1/32', hosts))).toBe('the first');
    expect(hosts.asked).toEqual(['rebinding.test']);
    expect(requests[0]?.headers.host).toBe(`rebinding.test:${port}`);
  });

  it('judges the other end of the socket before it writes', async () => {
    const received: Buffer[] = [];
    const gone = new Promise<void>((resolve) =>
      server.once('connection', (socket) => {
        socket.on('data', (bytes: Buffer) => received.push(bytes));
        socket.once('close', () => resolve());
      }),
    );
    const elsewhere = verified(
      (_options, callback) => {
        const socket = connect(port, '127.0.0.1', () => callback(null, socket));
      },
      (address) => {
        throw new AppError('egress_blocked', `Not ${address}.`);
      },
    );
    const failure = await new Promise((resolve) =>
      elsewhere({ hostname: 'public.test', protocol: 'http:', port: '80' }, (...[error]) => resolve(error)),
    );
    expect(failure).toMatchObject({ code: 'egress_blocked', message: 'Not 127.0.0.1.' });
    await gone;
    expect(received).toEqual([]);
  });

  it.each([
    [404, 'unprocessable'],
    [403, 'unprocessable'],
    [204, 'unprocessable'],
    [206, 'unprocessable'],
    [304, 'unprocessable'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('says of status %d: %s', async (status, expected) => {
    answer = (_request, response) => response.writeHead(status).end();
    expect(await code(client().fetch(here(), limits))).toBe(expected);
  });

  it('says that nobody answers, and that a connection broke', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const unused = (closed.address() as AddressInfo).port;
    await new Promise((resolve) => closed.close(resolve));
    expect(await code(client().fetch(`http://127.0.0.1:${unused}/`, limits))).toBe('unavailable');
    answer = (request, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('first');
      setImmediate(() => request.socket.destroy());
    };
    expect(await code(read(here()))).toBe('unavailable');
  });

  it('knows no proxies of the environment', async () => {
    answer = (_request, response) => response.end('straight');
    const names = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'NODE_USE_ENV_PROXY'];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = name.startsWith('NODE') ? '1' : 'http://127.0.0.1:9/';
    try {
      expect(await read(here())).toBe('straight');
    } finally {
      names.forEach((name, index) => {
        if (before[index] === undefined) delete process.env[name];
        else process.env[name] = before[index];
      });
    }
  });
});
