import { AppError } from '@kernel/errors';
import type { Metric } from '@kernel/vectors';
import type { FaissEngine } from '../engine/faiss-engine';
import type { IndexedVector } from '../engine/records';
import type { VectorIndex } from '../engine/vector-index';
import { decodeFrame, FRAME_TYPE, parseObject } from './frame';

/** Points of one upsert, ids of one delete, hits of one search, collections of one search. */
export const MOST = { points: 1_000, ids: 10_000, hits: 10_000, collections: 10_000 } as const;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface FaissRequest {
  method: string;
  /** Of the path. */
  segments: string[];
  query: URLSearchParams;
  contentType: string;
  body: Buffer;
}

type Answer = Record<string, unknown>;

/**
 * What the service answers: `PUT|DELETE /indexes/{name}`, `GET …/count?collection=`, `POST …/upsert`, `…/delete`, `…/search`. Vectors come as JSON
 * numbers or, in a frame, as float32 bytes. Everything is checked before it reaches FAISS, which ends the process over many a fault. Errors:
 * `invalid`, `not_found`, `conflict`, `unprocessable` (a bad vector), `storage_full`, `unavailable`.
 */
export class FaissRoutes {
  constructor(private readonly engine: FaissEngine) {}

  async answer(request: FaissRequest): Promise<Answer> {
    const [root, name = '', action, ...rest] = request.segments;
    if (root !== 'indexes' || name === '' || rest.length > 0) throw AppError.notFound('This path');
    const { method } = request;
    if (action === undefined && method === 'PUT') return this.ensure(name, parseObject(request.body));
    if (action === undefined && method === 'DELETE') return this.drop(name);
    if (action === 'count' && method === 'GET') return this.count(name, request.query);
    if (method !== 'POST') throw AppError.notFound('This path');
    const index = await this.engine.find(name);
    if (action === 'upsert') return this.upsert(index, contentOf(request));
    if (action === 'delete') return this.delete(index, contentOf(request).header);
    if (action === 'search') return this.search(index, contentOf(request));
    throw AppError.notFound('This path');
  }

  private async ensure(name: string, { dimensions, metric }: Record<string, unknown>): Promise<Answer> {
    await this.engine.ensure(name, { dimensions: dimensions as number, metric: metric as Metric });
    return { name };
  }

  private async drop(name: string): Promise<Answer> {
    await this.engine.drop(name);
    return { name };
  }

  private async count(name: string, query: URLSearchParams): Promise<Answer> {
    const [collection = ''] = idsOf([query.get('collection')], 'collection', 1);
    return { count: (await this.engine.find(name)).count(collection) };
  }

  private async upsert(index: VectorIndex, { header, numbers }: Content): Promise<Answer> {
    const ids = idsOf(header.ids, 'ids', MOST.points);
    const collections = idsOf(header.collections, 'collections', MOST.points);
    if (ids.length !== collections.length) throw new AppError('invalid', 'collections: one for each id.');
    const rows = rowsOf(numbers, ids.length, index);
    const vectors = ids.map(
      (id, at): IndexedVector => ({ id, collectionId: collections[at] ?? '', vector: rows[at] ?? new Float32Array() }),
    );
    if (vectors.length > 0) await index.upsert(vectors);
    this.engine.wake();
    return { upserted: vectors.length };
  }

  private async delete(index: VectorIndex, header: Record<string, unknown>): Promise<Answer> {
    const ids = idsOf(header.ids, 'ids', MOST.ids);
    if (ids.length > 0) await index.delete(ids);
    this.engine.wake();
    return {};
  }

  private async search(index: VectorIndex, { header, numbers }: Content): Promise<Answer> {
    const collections = idsOf(header.collections, 'collections', MOST.collections);
    const limit = header.limit;
    if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1 || limit > MOST.hits)
      throw new AppError('invalid', `limit: a whole number from 1 to ${MOST.hits}.`);
    const [query] = rowsOf(numbers, 1, index);
    const hits = query === undefined ? [] : index.search(collections, query, limit);
    return { hits: hits.map(({ id, score }) => [id, score]) };
  }
}

interface Content {
  header: Record<string, unknown>;
  numbers: ArrayLike<number>;
}

function contentOf({ contentType, body }: FaissRequest): Content {
  if (contentType === FRAME_TYPE) return decodeFrame(body);
  const header = parseObject(body);
  const rows = header.vectors ?? [header.vector];
  if (header.vectors === undefined && header.vector === undefined) return { header, numbers: [] };
  if (!Array.isArray(rows)) throw new AppError('invalid', 'vectors: a list of lists of numbers.');
  const numbers = rows.flat();
  if (!numbers.every((number) => typeof number === 'number')) throw new AppError('invalid', 'vectors: a list of lists of numbers.');
  return { header, numbers: Float32Array.from(numbers) };
}

/** Finite rows of the index's length, and under cosine not zero. */
function rowsOf(numbers: ArrayLike<number>, count: number, { shape }: VectorIndex): Float32Array[] {
  if (numbers.length !== count * shape.dimensions)
    throw new AppError('unprocessable', `A vector of this index has ${shape.dimensions} numbers, and there is one for each id.`);
  const all = numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
  if (!all.every(Number.isFinite)) throw new AppError('unprocessable', 'A vector holds what is no finite float32.');
  const rows = Array.from({ length: count }, (_, at) => all.subarray(at * shape.dimensions, (at + 1) * shape.dimensions));
  if (shape.metric === 'cosine' && rows.some((row) => row.every((number) => number === 0)))
    throw new AppError('unprocessable', 'A vector of zeros has no direction to compare.');
  return rows;
}

function idsOf(value: unknown, name: string, most: number): string[] {
  if (!Array.isArray(value) || value.length > most || !value.every((id) => typeof id === 'string' && UUID.test(id)))
    throw new AppError('invalid', `${name}: at most ${most} UUIDs in lower case.`);
  return value as string[];
}
