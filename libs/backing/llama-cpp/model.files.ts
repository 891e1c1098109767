import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CatalogueEntry } from './catalogue';

/** A model's file as it lies in MODELS_DIR. */
export interface ModelFile {
  path: string;
  bytes: number;
  modifiedMs: number;
  /** `sha256:…`, pinned or as recorded at the download; null when nobody recorded it. */
  digest: string | null;
}

/** Milliseconds for which a look at the disk counts as the truth. */
const FRESH = 2_000;

/** Which models' files are there: of the catalogued size when the digest is pinned, not empty otherwise. Looks at the disk every 2 s at most. */
export class ModelFiles {
  private readonly seen = new Map<string, { at: number; file: Promise<ModelFile | undefined> }>();

  constructor(private readonly directory: string) {}

  find(entry: CatalogueEntry): Promise<ModelFile | undefined> {
    const known = this.seen.get(entry.slug);
    if (known !== undefined && performance.now() - known.at < FRESH) return known.file;
    const file = this.look(entry);
    this.seen.set(entry.slug, { at: performance.now(), file });
    return file;
  }

  private async look(entry: CatalogueEntry): Promise<ModelFile | undefined> {
    const path = join(this.directory, entry.file);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || !found.isFile() || found.size === 0) return undefined;
    if (entry.sha256 !== undefined && found.size !== entry.bytes) return undefined;
    const digest = entry.sha256 ?? (await recorded(`${path}.sha256`));
    return { path, bytes: found.size, modifiedMs: found.mtimeMs, digest: digest === undefined ? null : `sha256:${digest}` };
  }
}

async function recorded(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return /^[0-9a-f]{64}\b/.exec(text)?.[0];
}
