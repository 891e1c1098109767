import type { Metric } from '@kernel/vectors';
import type { FaissBinding, FlatIndex } from './native-binding';
import { RowBlocks } from './row-blocks';

export interface Scored {
  id: string;
  score: number;
}

/** Numbers handed to FAISS in one go: some milliseconds of the one thread. */
const NUMBERS_PER_FILL = 24_576;
/** Dead rows that may lie among so many live ones before the rows are laid out anew. */
const FEWEST_DEAD = 256;
const DEAD_SHARE = 0.25;

/**
 * The vectors of one collection: rows in the order of their coming, the first of them in a flat index of FAISS, the rest (what came just now, or was
 * read from disk a moment ago) scanned directly until `fill` has handed them over. A deleted row stays as a tombstone; FAISS is asked for so many
 * more. Every score is computed from the row itself in float64.
 */
export class FlatRows {
  private rows: RowBlocks;
  /** '' stands for a tombstone. */
  private ids: string[] = [];
  private norms: number[] = [];
  private flat?: FlatIndex;
  private filled = 0;
  private dead = 0;
  private deadFilled = 0;

  constructor(
    private readonly binding: FaissBinding,
    private readonly dimensions: number,
    private readonly metric: Metric,
  ) {
    this.rows = new RowBlocks(dimensions);
  }

  /** Vectors that are not deleted. */
  get live(): number {
    return this.ids.length - this.dead;
  }

  get count(): number {
    return this.ids.length;
  }

  get tombstones(): number {
    return this.dead;
  }

  get isWhole(): boolean {
    return this.filled === this.ids.length;
  }

  /** Answers the number of its row. */
  append(id: string, vector: Float32Array): number {
    this.rows.append(vector);
    this.norms.push(this.metric === 'cosine' ? Math.sqrt(dot(vector, vector)) : 1);
    return this.ids.push(id) - 1;
  }

  kill(row: number): void {
    this.ids[row] = '';
    this.dead += 1;
    if (row < this.filled) this.deadFilled += 1;
  }

  vector(row: number): Float32Array {
    return this.rows.row(row);
  }

  /** undefined for a tombstone. */
  id(row: number): string | undefined {
    return this.ids[row] || undefined;
  }

  /** Hands some more rows to FAISS; false when it has them all. */
  fill(): boolean {
    if (this.isWhole) return false;
    const rows = Math.min(this.ids.length - this.filled, Math.max(1, Math.floor(NUMBERS_PER_FILL / this.dimensions)));
    this.flat ??= new (this.metric === 'l2' ? this.binding.IndexFlatL2 : this.binding.IndexFlatIP)(this.dimensions);
    const numbers: number[] = [];
    for (let row = this.filled; row < this.filled + rows; row += 1) this.push(numbers, this.rows.row(row), this.norms[row] ?? 1);
    this.flat.add(numbers);
    for (let row = this.filled; row < this.filled + rows; row += 1) if (this.ids[row] === '') this.deadFilled += 1;
    this.filled += rows;
    if (this.flat.ntotal() !== this.filled) throw new Error('FAISS holds other rows than were handed to it.');
    return !this.isWhole;
  }

  get needsCompaction(): boolean {
    return this.dead > FEWEST_DEAD && this.dead > this.live * DEAD_SHARE;
  }

  /** Lays the live rows out anew and tells where each is now; FAISS is filled again from the first. */
  compact(moved: (id: string, row: number) => void): void {
    const { rows, ids } = this;
    this.rows = new RowBlocks(this.dimensions);
    this.ids = [];
    this.norms = [];
    this.flat = undefined;
    this.filled = this.dead = this.deadFilled = 0;
    ids.forEach((id, row) => {
      if (id !== '') moved(id, this.append(id, rows.row(row)));
    });
  }

  /** The nearest, best first; ties by id. */
  search(query: Float32Array, limit: number): Scored[] {
    const norm = this.metric === 'cosine' ? Math.sqrt(dot(query, query)) : 1;
    const best = new Best(limit);
    const score = (row: number): void => {
      const id = this.ids[row];
      if (id) best.offer({ id, score: this.score(query, norm, row) });
    };
    for (const row of this.nearestFilled(query, norm, limit)) score(row);
    for (let row = this.filled; row < this.ids.length; row += 1) score(row);
    return best.ranked();
  }

  private nearestFilled(query: Float32Array, norm: number, limit: number): number[] {
    const most = Math.min(this.filled, limit + this.deadFilled);
    if (this.flat === undefined || most === 0) return [];
    const numbers: number[] = [];
    this.push(numbers, query, norm);
    const { labels } = this.flat.search(numbers, most);
    // Where float32 overflows FAISS ranks nothing: every row is looked at.
    return labels.includes(-1) ? Array.from({ length: this.filled }, (_, row) => row) : labels;
  }

  private push(numbers: number[], vector: Float32Array, norm: number): void {
    for (const number of vector) numbers.push(number / norm);
  }

  private score(query: Float32Array, norm: number, row: number): number {
    const vector = this.rows.row(row);
    if (this.metric === 'l2') return -Math.sqrt(squaredDistance(query, vector));
    const product = dot(query, vector);
    return this.metric === 'dot' ? product : product / (norm * (this.norms[row] ?? 1));
  }
}

/** The best so many of all that were offered. */
class Best {
  private kept: Scored[] = [];
  private least = Number.NEGATIVE_INFINITY;

  constructor(private readonly limit: number) {}

  offer(scored: Scored): void {
    if (scored.score < this.least) return;
    this.kept.push(scored);
    if (this.kept.length >= 2 * this.limit + 64) this.ranked();
  }

  ranked(): Scored[] {
    this.kept.sort(byScore);
    if (this.kept.length >= this.limit) {
      this.kept.length = this.limit;
      this.least = this.kept.at(-1)?.score ?? this.least;
    }
    return this.kept;
  }
}

export function byScore(left: Scored, right: Scored): number {
  return right.score - left.score || (left.id < right.id ? -1 : 1);
}

function dot(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < left.length; at += 1) sum += (left[at] ?? 0) * (right[at] ?? 0);
  return sum;
}

function squaredDistance(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < left.length; at += 1) sum += ((left[at] ?? 0) - (right[at] ?? 0)) ** 2;
  return sum;
}
