import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@kernel/errors';
import type { Metric } from '@kernel/vectors';
import { type IndexShape, type IndexSurroundings, VectorIndex } from './vector-index';
import { syncFolder } from './write-log';

export const INDEX_NAME = /^[a-z0-9_]{1,63}$/;
export const MOST_DIMENSIONS = 4_096;
const METRICS: readonly Metric[] = ['cosine', 'dot', 'l2'];
const SHAPE_FILE = 'shape.json';
/** Milliseconds between two looks at the logs. */
const TEND_MS = 1_000;
const MEBIBYTE = 1_048_576;

export interface EngineFigures {
  /** Indexes in memory. */
  indexes: number;
  vectors: number;
  tombstones: number;
  /** Bytes that the vectors need, without FAISS's copy. */
  bytes: number;
}

/**
 * All indexes below one folder, each read from disk when it is first asked for. One process at a time may own the folder, and one thread: FAISS is
 * called by nobody else. Errors: `not_found` (no such index), `conflict` (another shape), `invalid`, and those of the files.
 */
export class FaissEngine {
  private readonly indexes = new Map<string, Promise<VectorIndex>>();
  private readonly open = new Set<VectorIndex>();
  private working = false;
  private closed = false;
  private readonly tending: NodeJS.Timeout;

  private constructor(
    private readonly folder: string,
    private readonly around: IndexSurroundings,
  ) {
    this.tending = setInterval(() => this.tend(), TEND_MS).unref();
  }

  static async over(directory: string, around: IndexSurroundings): Promise<FaissEngine> {
    const folder = join(directory, 'indexes');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // Made or removed half-way when a process died.
    for (const name of await readdir(folder)) if (name.includes('.')) await rm(join(folder, name), { recursive: true, force: true });
    return new FaissEngine(folder, around);
  }

  get figures(): EngineFigures {
    const indexes = [...this.open];
    const sum = (of: (index: VectorIndex) => number): number => indexes.reduce((total, index) => total + of(index), 0);
    return {
      indexes: indexes.length,
      vectors: sum((index) => index.size),
      tombstones: sum((index) => index.tombstones),
      bytes: sum((index) => index.bytes),
    };
  }

  /** Makes the index, once; on disk when it answers. */
  async ensure(name: string, shape: IndexShape): Promise<VectorIndex> {
    assertName(name);
    assertShape(shape);
    const index = await this.find(name).catch(async (error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
      await this.make(name, shape);
      return this.find(name);
    });
    if (index.shape.dimensions !== shape.dimensions || index.shape.metric !== shape.metric) {
      const { dimensions, metric } = index.shape;
      throw new AppError('conflict', `The FAISS index ${name} has ${dimensions} dimensions and the metric ${metric}.`);
    }
    return index;
  }

  async find(name: string): Promise<VectorIndex> {
    assertName(name);
    const known = this.indexes.get(name);
    if (known !== undefined) return known;
    const opening = this.read(name);
    this.indexes.set(name, opening);
    opening.catch(() => this.indexes.delete(name));
    return opening;
  }

  /** The index and its files; nothing when there is none. */
  async drop(name: string): Promise<void> {
    const index = await this.find(name).catch(() => undefined);
    if (index !== undefined) {
      this.indexes.delete(name);
      this.open.delete(index);
      await index.close();
    }
    const gone = join(this.folder, `${name}.gone-${randomUUID()}`);
    await rename(join(this.folder, name), gone).catch(ignoreMissing);
    await syncFolder(this.folder);
    await rm(gone, { recursive: true, force: true });
  }

  /** There is work to be done between two requests. */
  wake(): void {
    if (this.working || this.closed) return;
    this.working = true;
    setImmediate(() => this.work());
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.tending);
    for (const opening of this.indexes.values()) await opening.then((index) => index.close()).catch(() => undefined);
  }

  private work(): void {
    try {
      this.working = false;
      const more = [...this.open].some((index) => index.work());
      if (more) this.wake();
    } catch (error) {
      // What FAISS holds is not known any more; the files are.
      this.around.onLost(error);
    }
  }

  private tend(): void {
    for (const index of this.open) void index.tend().then(() => this.wake());
  }

  private async read(name: string): Promise<VectorIndex> {
    const folder = join(this.folder, name);
    const text = await readFile(join(folder, SHAPE_FILE), 'utf8').catch(ignoreMissing);
    if (text === undefined) throw AppError.notFound(`The FAISS index ${name}`);
    const index = await VectorIndex.open(folder, JSON.parse(text) as IndexShape, this.around);
    this.open.add(index);
    this.wake();
    return index;
  }

  private async make(name: string, { dimensions, metric }: IndexShape): Promise<void> {
    const draft = join(this.folder, `${name}.new-${randomUUID()}`);
    try {
      await mkdir(draft, { mode: 0o700 });
      const file = await open(join(draft, SHAPE_FILE), 'wx', 0o600);
      try {
        await file.writeFile(JSON.stringify({ dimensions, metric }));
        await file.sync();
      } finally {
        await file.close();
      }
      await syncFolder(draft);
      await rename(draft, join(this.folder, name));
      await syncFolder(this.folder);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      const { code } = error as NodeJS.ErrnoException;
      // Somebody else made it meanwhile.
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return;
      if (code === 'ENOSPC') throw new AppError('storage_full', 'The disk of the FAISS service is full.', { cause: error });
      throw error;
    }
  }
}

/** Bytes of a log that are worth a snapshot. */
export const SNAPSHOT_BYTES = 64 * MEBIBYTE;

function assertName(name: string): void {
  if (!INDEX_NAME.test(name)) throw new AppError('invalid', 'The name of a FAISS index is made of a-z, 0-9 and _.');
}

function assertShape({ dimensions, metric }: IndexShape): void {
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > MOST_DIMENSIONS)
    throw new AppError('invalid', `dimensions: a whole number from 1 to ${MOST_DIMENSIONS}.`);
  if (!METRICS.includes(metric)) throw new AppError('invalid', `metric: one of ${METRICS.join(', ')}.`);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
