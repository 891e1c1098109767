import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { PullProgress } from '@backing/ollama';
import { chatFile, describeModels } from '../../../../test/support/models';
import { BuiltInDownload, removeBuiltIn } from './built-in-download';

const SCRIPT = resolve(__dirname, '..', '..', '..', '..', 'scripts', 'models.mjs');
const BYTES = 98_362_432;

describe('BuiltInDownload', () => {
  let folder: string;
  let seen: PullProgress[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sutazai-download-'));
    seen = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const fetch = (slug: string, signal = new AbortController().signal): Promise<void> =>
    new BuiltInDownload(folder).fetch(slug, async (progress) => void seen.push(progress), signal);

  describeModels('with the starter at hand', () => {
    it('verifies a file that is there, in the folder it was given', async () => {
      copyFileSync(chatFile, join(folder, 'SmolLM2-135M-Instruct.Q4_1.gguf'));
      await fetch('smollm2-135m-instruct');
      expect(seen.at(-1)).toEqual({ done: BYTES, total: BYTES, message: 'ready' });
      expect(readdirSync(folder)).toContain('.verified.json');
    });
  });

  it('is cancelled, and the command with it', async () => {
    const abort = new AbortController();
    const running = fetch('qwen3-8b', abort.signal);
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('knows the catalogue only', async () => {
    await expect(fetch('nobody')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('the command ends with its caller', async () => {
    const child = spawn(process.execPath, [SCRIPT, 'fetch', 'qwen3-8b', '--into', folder, '--with-parent'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin.end();
    expect(await new Promise((done) => child.once('exit', done))).toBe(75);
    expect(existsSync(join(folder, 'Qwen3-8B-Q4_K_M.gguf'))).toBe(false);
  });

  it('a model in memory stays', async () => {
    const entry = { slug: 'x', file: 'x.gguf' } as Parameters<typeof removeBuiltIn>[1];
    await expect(removeBuiltIn(folder, entry, true)).rejects.toMatchObject({ code: 'conflict' });
  });
});
