import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@kernel/errors';
import { RecordReader } from './record-reader';
import { encodeRecord, headerOf, type IndexedVector, type IndexRecord } from './records';
import { syncFolder } from './write-log';

const FILE = /^(snapshot|log)-(\d{1,12})$/;
/** Vectors in one record of a snapshot. */
const RECORD_VECTORS = 64;

/** What recovery found: the generation of the newest log and the bytes of whole records in it. */
export interface Recovered {
  generation: number;
  length: number;
  /** Bytes of a last write that was never acknowledged. */
  torn: number;
}

/**
 * The files of one index: `snapshot-N` is the state when `log-N` began (or a little after: a log is applied by id, so that doing it twice changes
 * nothing), and each later log follows its predecessor. A snapshot has its name only once it is on disk whole; then what is older goes.
 */
export class IndexFiles {
  constructor(
    readonly folder: string,
    private readonly dimensions: number,
  ) {}

  log(generation: number): string {
    return join(this.folder, `log-${generation}`);
  }

  /** Everything in order, snapshot first. Errors: `unavailable` for files that no crash leaves behind. */
  async recover(apply: (record: IndexRecord) => void): Promise<Recovered> {
    const { snapshots, logs } = await this.generations();
    const first = Math.max(0, ...snapshots);
    if (first > 0) await this.readSnapshot(first, apply);
    const following = logs.filter((generation) => generation >= first).sort((left, right) => left - right);
    let last: Recovered = { generation: first, length: 0, torn: 0 };
    for (const [at, generation] of following.entries()) {
      if (generation !== first + at) throw this.damaged(`log-${first + at}`);
      last = await this.readLog(generation, apply);
      if (last.torn > 0 && at < following.length - 1) throw this.damaged(`log-${generation}`);
    }
    await this.clear(first);
    return last;
  }

  /** Writes the state at the beginning of `generation`, and removes what is older. */
  async snapshot(generation: number, vectors: Iterable<IndexedVector>, pause: () => Promise<void>): Promise<void> {
    const draft = join(this.folder, `snapshot-${generation}.new`);
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(headerOf(this.dimensions));
      let count = 0;
      for (const batch of batches(vectors)) {
        await file.writeFile(encodeRecord({ kind: 'upsert', vectors: batch }, this.dimensions));
        count += batch.length;
        await pause();
      }
      await file.writeFile(encodeRecord({ kind: 'end', count }, this.dimensions));
      await file.sync();
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    await rename(draft, join(this.folder, `snapshot-${generation}`));
    await syncFolder(this.folder);
    await this.clear(generation);
  }

  private async readSnapshot(generation: number, apply: (record: IndexRecord) => void): Promise<void> {
    const name = `snapshot-${generation}`;
    const file = await open(join(this.folder, name), 'r');
    try {
      let [count, whole] = [0, false];
      for await (const record of new RecordReader(file, this.dimensions).records()) {
        if (record.kind === 'end') whole = record.count === count;
        else apply(record);
        if (record.kind === 'upsert') count += record.vectors.length;
      }
      if (!whole) throw this.damaged(name);
    } finally {
      await file.close();
    }
  }

  private async readLog(generation: number, apply: (record: IndexRecord) => void): Promise<Recovered> {
    const file = await open(this.log(generation), 'r');
    try {
      const reader = new RecordReader(file, this.dimensions);
      for await (const record of reader.records()) apply(record);
      return { generation, length: reader.length, torn: (await file.stat()).size - reader.length };
    } finally {
      await file.close();
    }
  }

  private async generations(): Promise<{ snapshots: number[]; logs: number[] }> {
    const found = (await readdir(this.folder)).map((name) => FILE.exec(name)).filter((match) => match !== null);
    const of = (kind: string): number[] => found.filter((match) => match[1] === kind).map((match) => Number(match[2]));
    return { snapshots: of('snapshot'), logs: of('log') };
  }

  private async clear(generation: number): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const match = FILE.exec(name);
      const old = match === null ? name.endsWith('.new') : Number(match[2]) < generation;
      if (old) await rm(join(this.folder, name), { force: true });
    }
  }

  private damaged(name: string): AppError {
    const sentence = `The file ${name} of this FAISS index is damaged: remove the index's folder and repair the collections by their verification.`;
    return new AppError('unavailable', sentence, { retryable: false, retryAfterSeconds: 60 });
  }
}

function* batches(vectors: Iterable<IndexedVector>): Generator<IndexedVector[]> {
  let batch: IndexedVector[] = [];
  for (const vector of vectors) {
    batch.push(vector);
    if (batch.length < RECORD_VECTORS) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
