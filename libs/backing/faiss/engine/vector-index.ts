import { setImmediate as turn } from 'node:timers/promises';
import type { Metric } from '@kernel/vectors';
import { byScore, FlatRows, type Scored } from './flat-rows';
import { IndexFiles } from './index-files';
import type { FaissBinding } from './native-binding';
import { encodeRecord, type IndexedVector, type IndexRecord } from './records';
import { WriteLog } from './write-log';

export interface IndexShape {
  dimensions: number;
  metric: Metric;
}

export interface IndexSurroundings {
  binding: FaissBinding;
  /** Nobody knows any more what the disk holds: the process must end. */
  onLost: (error: unknown) => void;
  warn: (message: string) => void;
  /** A log of so many bytes, and longer than the vectors themselves, becomes a snapshot. */
  snapshotBytes: number;
}

/** Where a vector lies. */
interface Place {
  rows: FlatRows;
  row: number;
}

/** Bytes of a vector's id and places, beside its numbers. */
const ROW_BYTES = 400;

/** One index: the vectors of an embedding space by id, apart by collection; in memory, with its files behind it. */
export class VectorIndex {
  private readonly collections = new Map<string, FlatRows>();
  private readonly places = new Map<string, Place>();
  private generation = 0;
  private log?: WriteLog;
  private snapshotting?: Promise<void>;
  private retryAt = 0;

  private constructor(
    readonly shape: IndexShape,
    private readonly files: IndexFiles,
    private readonly around: IndexSurroundings,
  ) {}

  static async open(folder: string, shape: IndexShape, around: IndexSurroundings): Promise<VectorIndex> {
    const index = new VectorIndex(shape, new IndexFiles(folder, shape.dimensions), around);
    const { generation, length, torn } = await index.files.recover((record) => index.apply(record));
    if (torn > 0) around.warn(`The last ${torn} bytes of a log were not whole, and never acknowledged: dropped.`);
    index.generation = generation;
    index.log = await WriteLog.open(index.files.log(generation), length, shape.dimensions, around.onLost);
    return index;
  }

  get size(): number {
    return this.places.size;
  }

  /** Bytes of memory that its vectors need here, without FAISS's own copy. */
  get bytes(): number {
    return this.places.size * (4 * this.shape.dimensions + ROW_BYTES);
  }

  get tombstones(): number {
    return this.all((rows) => rows.tombstones);
  }

  /** Rows that FAISS does not have yet. */
  get isWhole(): boolean {
    return [...this.collections.values()].every((rows) => rows.isWhole);
  }

  /** On disk and visible when it answers. */
  upsert(vectors: IndexedVector[]): Promise<void> {
    return this.write({ kind: 'upsert', vectors });
  }

  delete(ids: string[]): Promise<void> {
    return this.write({ kind: 'delete', ids });
  }

  search(collectionIds: string[], query: Float32Array, limit: number): Scored[] {
    const found = [...new Set(collectionIds)].flatMap((id) => this.collections.get(id)?.search(query, limit) ?? []);
    return found.sort(byScore).slice(0, limit);
  }

  count(collectionId: string): number {
    return this.collections.get(collectionId)?.live ?? 0;
  }

  /** Does a little of what waits (FAISS's copy, rows to be laid out anew); false when nothing does. */
  work(): boolean {
    for (const [id, rows] of this.collections) {
      // A snapshot that is being written goes by the numbers of rows.
      if (this.snapshotting === undefined && rows.live === 0) this.collections.delete(id);
      else if (this.snapshotting === undefined && rows.needsCompaction) {
        rows.compact((point, row) => this.places.set(point, { rows, row }));
        return true;
      }
      if (!rows.isWhole) {
        rows.fill();
        return true;
      }
    }
    return false;
  }

  /** Writes a snapshot when the log has become long; a full disk leaves the log as it is. Answers when no snapshot is being written any more. */
  tend(): Promise<void> {
    const { log } = this;
    if (this.snapshotting === undefined && log !== undefined && this.isDue(log))
      this.snapshotting = this.snapshot(log).finally(() => (this.snapshotting = undefined));
    return this.snapshotting ?? Promise.resolve();
  }

  async close(): Promise<void> {
    await this.snapshotting;
    await this.log?.close();
  }

  private isDue(log: WriteLog): boolean {
    return log.bytes >= Math.max(this.around.snapshotBytes, this.bytes) && Date.now() >= this.retryAt;
  }

  private async snapshot(log: WriteLog): Promise<void> {
    try {
      const generation = this.generation + 1;
      await log.rotate(this.files.log(generation));
      this.generation = generation;
      await this.files.snapshot(generation, this.vectors(), () => turn());
    } catch (error) {
      this.retryAt = Date.now() + 60_000;
      this.around.warn(`A snapshot could not be written, the log goes on: ${(error as Error).message}`);
    }
  }

  private async write(record: IndexRecord): Promise<void> {
    await this.log?.append(encodeRecord(record, this.shape.dimensions), () => this.apply(record));
  }

  private apply(record: IndexRecord): void {
    if (record.kind === 'delete') for (const id of record.ids) this.forget(id);
    if (record.kind !== 'upsert') return;
    for (const { id, collectionId, vector } of record.vectors) {
      this.forget(id);
      const rows = this.rowsOf(collectionId);
      this.places.set(id, { rows, row: rows.append(id, vector) });
    }
  }

  private forget(id: string): void {
    const place = this.places.get(id);
    if (place === undefined) return;
    place.rows.kill(place.row);
    this.places.delete(id);
  }

  private rowsOf(collectionId: string): FlatRows {
    const known = this.collections.get(collectionId);
    if (known !== undefined) return known;
    const rows = new FlatRows(this.around.binding, this.shape.dimensions, this.shape.metric);
    this.collections.set(collectionId, rows);
    return rows;
  }

  private *vectors(): Generator<IndexedVector> {
    for (const [collectionId, rows] of this.collections) {
      for (let row = 0; row < rows.count; row += 1) {
        const id = rows.id(row);
        if (id !== undefined) yield { id, collectionId, vector: rows.vector(row) };
      }
    }
  }

  private all(of: (rows: FlatRows) => number): number {
    return [...this.collections.values()].reduce((sum, rows) => sum + of(rows), 0);
  }
}
