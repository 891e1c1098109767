import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Deadlines, FetchRig, type Listed } from './fetch-rig';
import { type FileServer, type Served } from './file-server';

const START = 'bytes=0-3';
const bytes = Buffer.alloc(300_000, 'weights of a built-in model ');
const large = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(299_996, 'weights of a larger model ')]);
const other = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(299_996, 'weights of another version ')]);
const page = Buffer.from('<html>Please sign in to this network</html>');

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function builtIn(upstream: string): Listed {
  const file = { name: 'chat.gguf', size: bytes.length, sha256: sha256(bytes) };
  const sources = [{ ...file, upstream: `${upstream}/file`, entry: 'pkg/chat.gguf' }];
  const wheel = { requirement: 'pkg==1.0', size: 100_000 };
  return { ...file, slug: 'tiny-chat', role: 'chat', license: 'Apache-2.0', builtIn: true, wheel, sources };
}

/** Without a digest, only at its publisher, and of another size than when the catalogue was written. */
function optional(upstream: string): Listed {
  const file = { name: 'large.gguf', size: 250_000 };
  return { ...file, slug: 'large', role: 'chat', license: 'MIT', builtIn: false, sources: [{ ...file, upstream: `${upstream}/file` }] };
}

describe('fetching a model of the catalogue whose digest is not pinned', () => {
  let rig: FetchRig;

  beforeEach(async () => {
    rig = await FetchRig.open();
  });

  afterEach(() => rig.close());

  const run = (args: string[], catalogue?: Listed[], mirror?: string, deadlines?: Deadlines): Promise<number> =>
    rig.run(args, { catalogue, mirror, deadlines });
  const path = (name: string): string => join(rig.modelsDir, name);
  const place = (name: string, content: Buffer | string): void => {
    mkdirSync(rig.modelsDir, { recursive: true });
    writeFileSync(path(name), content);
  };
  const isLarge = (): boolean => readFileSync(path('large.gguf')).equals(large);

  it('takes it from upstream when it is named, with its licence and progress, and records the digest', async () => {
    const upstream = await rig.serve({ file: { bytes: large } });
    expect(await run(['fetch', 'large'], [builtIn(await rig.nobody()), optional(upstream.url)])).toBe(0);
    expect(isLarge()).toBe(true);
    expect(readFileSync(path('large.gguf.sha256'), 'utf8')).toBe(`${sha256(large)}\n`);
    expect(readdirSync(rig.modelsDir).sort()).toEqual(['.verified.json', 'large.gguf', 'large.gguf.sha256']);
    expect(rig.printed).toContain('large.gguf: 0.3 MB, licence MIT\n');
    expect(rig.printed).toContain('large.gguf: 0.3 of 0.3 MB, 100 %');
    expect(rig.printed).toContain(`large.gguf is ready in ${rig.modelsDir} (licence MIT).\n`);
    expect([upstream.requests, rig.pipCalls]).toEqual([[`file ${START}`, 'file'], []]);
  });

  it('takes the mirror first and asks nobody else', async () => {
    const mirror = await rig.serve({ 'm/large.gguf': { bytes: large, ranges: false } });
    const upstream = await rig.serve({ file: { bytes: other } });
    expect(await run(['fetch', 'large'], [optional(upstream.url)], `${mirror.url}/m/`)).toBe(0);
    expect(isLarge()).toBe(true);
    expect([mirror.requests, upstream.requests]).toEqual([[`m/large.gguf ${START}`, 'm/large.gguf'], []]);
  });

  it('fetches only the built-in models when none is named', async () => {
    const upstream = await rig.serve({ file: { bytes } });
    expect(await run(['fetch'], [builtIn(upstream.url), optional(upstream.url)])).toBe(0);
    expect(readdirSync(rig.modelsDir).sort()).toEqual(['.verified.json', 'chat.gguf']);
  });

  it('asks nobody when what it recorded is there', async () => {
    const upstream = await rig.serve({ file: { bytes: large } });
    const models = [optional(upstream.url)];
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(upstream.requests).toHaveLength(2);
  });

  it('falls from a mirror that answers with a page or not at all to upstream', async () => {
    const upstream = await rig.serve({ file: { bytes: large } });
    const mirror = await rig.serve({ 'large.gguf': { bytes: page } });
    expect(await run(['fetch', 'large'], [optional(upstream.url)], mirror.url)).toBe(0);
    expect(isLarge()).toBe(true);
    rmSync(rig.modelsDir, { recursive: true });
    mirror.silent = true;
    expect(await run(['fetch', 'large'], [optional(upstream.url)], mirror.url, { connectMs: 100 })).toBe(0);
    expect(isLarge()).toBe(true);
  });

  describe('when an earlier transfer broke off', () => {
    /** Starts a transfer that is lost after 100,000 bytes, by a server that has the file no longer then. */
    const leavePart = async (upstream: FileServer, files: Record<string, Served>): Promise<void> => {
      let lose = (): void => {};
      const cut = new Promise<void>((done) => (lose = done));
      files.file = { bytes: large, cutAfter: 100_000, cut, etag: '"one"' };
      rig.atThirdPart = (): void => {
        delete files.file;
        lose();
      };
      expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(1);
      expect(readFileSync(join(rig.modelsDir, '.large.gguf', 'large.gguf.part'))).toHaveLength(100_000);
      rig.atThirdPart = (): void => {};
      upstream.requests.length = 0;
    };

    it('continues it', async () => {
      const files: Record<string, Served> = {};
      const upstream = await rig.serve(files);
      await leavePart(upstream, files);
      files.file = { bytes: large, etag: '"one"' };
      expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(0);
      expect(isLarge()).toBe(true);
      expect(upstream.requests).toEqual([`file ${START}`, 'file bytes=100000-']);
      expect(existsSync(join(rig.modelsDir, '.large.gguf'))).toBe(false);
    });

    it('starts over when another version is published now', async () => {
      const files: Record<string, Served> = {};
      const upstream = await rig.serve(files);
      await leavePart(upstream, files);
      files.file = { bytes: other, etag: '"two"' };
      expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(0);
      expect(readFileSync(path('large.gguf')).equals(other)).toBe(true);
      expect(upstream.requests).toEqual([`file ${START}`, 'file']);
    });
  });

  it('refuses other bytes than at the first download, and says how to accept them', async () => {
    place('large.gguf.sha256', `${sha256(large)}\n`);
    const upstream = await rig.serve({ file: { bytes: other } });
    const { host } = new URL(upstream.url);
    expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(1);
    expect(rig.printed).toContain(
      `The model large.gguf could not be fetched: set MODELS_MIRROR to a server that has it, or allow HTTPS to ${host}, ` +
        `or put the file into ${rig.modelsDir} (MODELS_DIR) by hand, ` +
        `or delete large.gguf.sha256 there to accept other bytes than at the first download ` +
        `(MODELS_MIRROR is not set; ${upstream.url}/file has other bytes than expected (checksum)).\n`,
    );
    expect(readdirSync(rig.modelsDir)).toEqual(['large.gguf.sha256']);
  });

  it('verify finds changed bytes, and fetch brings the recorded ones back', async () => {
    const models = [optional((await rig.serve({ file: { bytes: large } })).url)];
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(await run(['verify'], models)).toBe(0);
    place('large.gguf', other);
    expect(await run(['verify'], models)).toBe(1);
    expect(rig.printed).toMatch(/large +chat +large\.gguf +0\.3 MB {2}wrong bytes/);
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(isLarge()).toBe(true);
  });

  it('records the digest of a file placed by hand, and replaces one that is no model', async () => {
    const upstream = await rig.serve({ file: { bytes: large } });
    const models = [optional(upstream.url)];
    place('large.gguf', other);
    expect(await run(['verify'], models)).toBe(1);
    expect(rig.printed).toMatch(/large\.gguf +0\.3 MB {2}no recorded digest/);
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(readFileSync(path('large.gguf.sha256'), 'utf8')).toBe(`${sha256(other)}\n`);
    expect([await run(['verify'], models), upstream.requests]).toEqual([0, []]);
    rmSync(path('large.gguf.sha256'));
    place('large.gguf', page);
    expect(await run(['fetch', 'large'], models)).toBe(0);
    expect(isLarge()).toBe(true);
  });

  it('leaves nothing and asks no pip when no server has it', async () => {
    const upstream = await rig.serve({ file: { bytes: page } });
    expect(await run(['fetch', 'large'], [optional(upstream.url)])).toBe(1);
    expect(rig.printed).toContain(`(MODELS_MIRROR is not set; ${upstream.url}/file is not a GGUF file).\n`);
    expect([readdirSync(rig.modelsDir), rig.pipCalls]).toEqual([[], []]);
  });

  it('lists all with state and size; a missing one is a fault only when built in', async () => {
    place('chat.gguf', bytes);
    const models = [builtIn(await rig.nobody()), optional(await rig.nobody())];
    expect(await run(['list'], models)).toBe(0);
    expect(rig.printed).toMatch(/^tiny-chat +chat +chat\.gguf +0\.3 MB {2}ready\nlarge +chat +large\.gguf +0\.3 MB {2}missing\n/);
    rmSync(path('chat.gguf'));
    expect(await run(['list'], models)).toBe(1);
  });

  it("names the models of the server's catalogue when one is unknown, before anything is fetched", async () => {
    const file = join(__dirname, '..', '..', 'libs', 'backing', 'llama-cpp', 'catalogue.json');
    const entries = JSON.parse(readFileSync(file, 'utf8')) as { slug: string }[];
    expect(await run(['fetch', 'qwen3-0.6b', 'gpt-5'])).toBe(1);
    expect(rig.printed).toBe(`There is no model gpt-5: the catalogue has ${entries.map(({ slug }) => slug).join(', ')}.\n`);
    expect(existsSync(rig.modelsDir)).toBe(false);
  });
});
