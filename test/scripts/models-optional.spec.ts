import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadScript } from './load-script';

interface Model {
  slug: string;
  name: string;
  role: string;
  size: number;
  sha256?: string;
  license: string;
  builtIn: boolean;
  wheel?: { requirement: string; size: number };
  sources: { name: string; size: number; sha256?: string; upstream: string; entry?: string }[];
}
interface Served {
  bytes: Buffer;
  etag?: string;
  /** Whether Range requests are honoured; a server may also ignore them. */
  ranges?: boolean;
  /** A transfer of the whole file stops after so many bytes, and is lost once `cut` resolves. */
  cutAfter?: number;
  cut?: Promise<void>;
}
interface Options {
  catalogue?: Model[];
  env: Record<string, string>;
  pip: (requirement: string) => Promise<string>;
  out: { write(text: string): void };
  deadlines?: { connectMs: number };
}
interface Script {
  main(args: string[], options: Options): Promise<number>;
}

const START = 'bytes=0-3';
const bytes = Buffer.alloc(300_000, 'weights of a built-in model ');
const large = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(299_996, 'weights of a larger model ')]);
const other = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(299_996, 'weights of another version ')]);
const page = Buffer.from('<html>Please sign in to this network</html>');

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function builtIn(upstream: string): Model {
  const file = { name: 'chat.gguf', size: bytes.length, sha256: sha256(bytes) };
  const sources = [{ ...file, upstream: `${upstream}/file`, entry: 'pkg/chat.gguf' }];
  const wheel = { requirement: 'pkg==1.0', size: 100_000 };
  return { ...file, slug: 'tiny-chat', role: 'chat', license: 'Apache-2.0', builtIn: true, wheel, sources };
}

/** Without a digest, only at its publisher, and of another size than when the catalogue was written. */
function optional(upstream: string): Model {
  const file = { name: 'large.gguf', size: 250_000 };
  return { ...file, slug: 'large', role: 'chat', license: 'MIT', builtIn: false, sources: [{ ...file, upstream: `${upstream}/file` }] };
}

/** A loopback file server with entity tags and ranges that have an end; notes what was asked of it. */
class Publisher {
  readonly requests: string[] = [];
  /** Accepts connections and never answers. */
  silent = false;
  private readonly server: Server;

  private constructor(files: Record<string, Served>) {
    this.server = createServer((request, response) => {
      if (this.silent) return;
      const name = (request.url ?? '').slice(1);
      this.requests.push([name, request.headers.range].filter(Boolean).join(' '));
      const file = files[name];
      if (!file) return void response.writeHead(404).end('not here');
      const range = file.ranges === false ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
      const start = Number(range?.[1] ?? 0);
      const end = range?.[2] ? Number(range[2]) + 1 : file.bytes.length;
      if (file.etag) response.setHeader('etag', file.etag);
      if (range) response.setHeader('content-range', `bytes ${start}-${end - 1}/${file.bytes.length}`);
      response.writeHead(range ? 206 : 200, { 'content-length': end - start });
      if (range || file.cutAfter === undefined) return void response.end(file.bytes.subarray(start, end));
      response.write(file.bytes.subarray(0, file.cutAfter));
      void file.cut?.then(() => response.destroy());
    });
  }

  static async start(files: Record<string, Served>): Promise<Publisher> {
    const publisher = new Publisher(files);
    await new Promise<void>((done) => publisher.server.listen(0, '127.0.0.1', done));
    return publisher;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

describe('fetching a model of the catalogue whose digest is not pinned', () => {
  let script: Script;
  let folder: string;
  let modelsDir: string;
  let servers: Publisher[];
  let printed: string;
  let pipCalls: string[];
  let atThirdPart: () => void;

  beforeAll(async () => {
    script = await loadScript<Script>('models.mjs');
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'models-'));
    modelsDir = join(folder, 'models');
    servers = [];
    printed = '';
    pipCalls = [];
    atThirdPart = (): void => {};
  });

  afterEach(async () => {
    for (const server of servers) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const serve = async (files: Record<string, Served>): Promise<Publisher> => {
    const server = await Publisher.start(files);
    servers.push(server);
    return server;
  };
  /** The address of a server that is not there: its port was free a moment ago. */
  const nobody = async (): Promise<string> => {
    const server = await Publisher.start({});
    const { url } = server;
    await server.stop();
    return url;
  };
  const run = (args: string[], catalogue?: Model[], mirror?: string, deadlines?: { connectMs: number }): Promise<number> => {
    const env = { MODELS_DIR: modelsDir, ...(mirror ? { MODELS_MIRROR: mirror } : {}) };
    const pip = (requirement: string): Promise<string> => {
      pipCalls.push(requirement);
      return Promise.reject(new Error('pip is not installed'));
    };
    const out = {
      write: (text: string): void => {
        printed += text;
        if (text.includes('33 %')) atThirdPart();
      },
    };
    return script.main(args, { catalogue, env, pip, out, deadlines });
  };
  const path = (name: string): string => join(modelsDir, name);
  const place = (name: string, content: Buffer | string): void => {
    mkdirSync(modelsDir, { recursive: true });
    writeFileSync(path(name), content);
  };
  const isLarge = (): boolean => readFileSync(path('large.gguf')).equals(large);

  it('takes it from upstream when it is named, with its licence and progress, and records the digest', async () => {
    const upstream = await serve({ file: { bytes: large } });
    expect(await run(['fetch', 'large'], [builtIn(await nobody()), optional(upstream.url)])).toBe(0);
    expect(isLarge()).toBe(true);
    expect(readFileSync(path('large.gguf.sha256'), 'utf8')).toBe(`${sha256(large)}\n`);
    expect(readdirSync(modelsDir).sort()).toEqual(['.verified.json', 'large.gguf', 'large.gguf.sha256']);
    expect(printed).toContain('large.gguf: 0.3 MB, licence MIT\n');
    expect(printed).toContain('large.gguf: 0.3 of 0.3 MB, 100 %');
    expect(printed).toContain(`large.gguf is ready in ${modelsDir} (licence MIT).\n`);
    expect([upstream.requests, pipCalls]).toEqual([[`file ${START}`, 'file'], []]);
  });

  it('takes the mirror first and asks nobody else', async () => {
    const mirror = await serve({ 'm/large.gguf': { bytes: large, ranges: false } });
    const upstream = await serve({ file: { bytes: other } });
    expect(await run(['fetch', 'large'], [optional(upstream.url)], `${mirror.url}/m/`)).toBe(0);
    expect(isLarge()).toBe(true);
    expect([mirror.requests, upstream.requests]).toEqual([[`m/large.gguf ${START}`, 'm/large.gguf'], []]);
  });

  it('fetches only the built-in models when none is named', async () => {
    const upstream = await serve({ file: { bytes } });
    expect(await run(['fetch'], [builtIn(upstream.url), optional(upstream.url)])).toBe(0);
    expect(readdirSync(modelsDir).sort()).toEqual(['.verified.json', 'chat.gguf']);
  });

  it('asks nobody when what it recorded is there', async () => {
    const upstream = await serve({ file: { bytes: large } });
    const models = [optional(upstream.url)];
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(upstream.requests).toHaveLength(2);
  });

  it('falls from a mirror that answers with a page or not at all to upstream', async () => {
    const upstream = await serve({ file: { bytes: large } });
    const mirror = await serve({ 'large.gguf': { bytes: page } });
    expect(await run(['fetch', 'large'], [optional(upstream.url)], mirror.url)).toBe(0);
    expect(isLarge()).toBe(true);
    rmSync(modelsDir, { recursive: true });
    mirror.silent = true;
    expect(await run(['fetch', 'large'], [optional(upstream.url)], mirror.url, { connectMs: 100 })).toBe(0);
    expect(isLarge()).toBe(true);
  });

  describe('when an earlier transfer broke off', () => {
    /** Starts a transfer that is lost after 100,000 bytes, by a server that has the file no longer then. */
    const leavePart = async (upstream: Publisher, files: Record<string, Served>): Promise<void> => {
      let lose = (): void => {};
      const cut = new Promise<void>((done) => (lose = done));
      files.file = { bytes: large, cutAfter: 100_000, cut, etag: '"one"' };
      atThirdPart = (): void => {
        delete files.file;
        lose();
      };
      expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(1);
      expect(readFileSync(join(modelsDir, '.large.gguf', 'large.gguf.part'))).toHaveLength(100_000);
      atThirdPart = (): void => {};
      upstream.requests.length = 0;
    };

    it('continues it', async () => {
      const files: Record<string, Served> = {};
      const upstream = await serve(files);
      await leavePart(upstream, files);
      files.file = { bytes: large, etag: '"one"' };
      expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(0);
      expect(isLarge()).toBe(true);
      expect(upstream.requests).toEqual([`file ${START}`, 'file bytes=100000-']);
      expect(existsSync(join(modelsDir, '.large.gguf'))).toBe(false);
    });

    it('starts over when another version is published now', async () => {
      const files: Record<string, Served> = {};
      const upstream = await serve(files);
      await leavePart(upstream, files);
      files.file = { bytes: other, etag: '"two"' };
      expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(0);
      expect(readFileSync(path('large.gguf')).equals(other)).toBe(true);
      expect(upstream.requests).toEqual([`file ${START}`, 'file']);
    });
  });

  it('refuses other bytes than at the first download, and says how to accept them', async () => {
    place('large.gguf.sha256', `${sha256(large)}\n`);
    const upstream = await serve({ file: { bytes: other } });
    const { host } = new URL(upstream.url);
    expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(1);
    expect(printed).toContain(
      `The model large.gguf could not be fetched: set MODELS_MIRROR to a server that has it, or allow HTTPS to ${host}, ` +
        `or put the file into ${modelsDir} (MODELS_DIR) by hand, ` +
        `or delete large.gguf.sha256 there to accept other bytes than at the first download ` +
        `(MODELS_MIRROR is not set; ${upstream.url}/file has other bytes than expected (checksum)).\n`,
    );
    expect(readdirSync(modelsDir)).toEqual(['large.gguf.sha256']);
  });

  it('verify finds changed bytes, and fetch brings the recorded ones back', async () => {
    const models = [optional((await serve({ file: { bytes: large } })).url)];
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(await run(['verify'], models)).toBe(0);
    place('large.gguf', other);
    expect(await run(['verify'], models)).toBe(1);
    expect(printed).toMatch(/large +chat +large\.gguf +0\.3 MB {2}wrong bytes/);
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(isLarge()).toBe(true);
  });

  it('records the digest of a file placed by hand, and replaces one that is no model', async () => {
    const upstream = await serve({ file: { bytes: large } });
    const models = [optional(upstream.url)];
    place('large.gguf', other);
    expect(await run(['verify'], models)).toBe(1);
    expect(printed).toMatch(/large\.gguf +0\.3 MB {2}no recorded digest/);
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(readFileSync(path('large.gguf.sha256'), 'utf8')).toBe(`${sha256(other)}\n`);
    expect([await run(['verify'], models), upstream.requests]).toEqual([0, []]);
    rmSync(path('large.gguf.sha256'));
    place('large.gguf', page);
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(isLarge()).toBe(true);
  });

  it('leaves nothing and asks no pip when no server has it', async () => {
    const upstream = await serve({ file: { bytes: page } });
    expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(1);
    expect(printed).toContain(`(MODELS_MIRROR is not set; ${upstream.url}/file is not a GGUF file).\n`);
    expect([readdirSync(modelsDir), pipCalls]).toEqual([[], []]);
  });

  it('lists all with state and size; a missing one is a fault only when built in', async () => {
    place('chat.gguf', bytes);
    const models = [builtIn(await nobody()), optional(await nobody())];
    expect(await run(['list'], models)).toBe(0);
    expect(printed).toMatch(/^tiny-chat +chat +chat\.gguf +0\.3 MB {2}ready\nlarge +chat +large\.gguf +0\.3 MB {2}missing\n/);
    rmSync(path('chat.gguf'));
    expect(await run(['list'], models)).toBe(1);
  });

  it("names the models of the server's catalogue when one is unknown, before anything is fetched", async () => {
    const file = join(__dirname, '..', '..', 'libs', 'backing', 'llama-cpp', 'catalogue.json');
    const entries = JSON.parse(readFileSync(file, 'utf8')) as { slug: string }[];
    expect(await run(['fetch', 'qwen3-0.6b', 'gpt-5'])).toBe(1);
    expect(printed).toBe(`There is no model gpt-5: the catalogue has ${entries.map(({ slug }) => slug).join(', ')}.\n`);
    expect(existsSync(modelsDir)).toBe(false);
  });
});
