import { setImmediate as turn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { Models, type UsageAccount } from '@features/models';
import { AppError } from '@kernel/errors';
import type { EmbeddingSpace } from '@kernel/vectors';
import { v5 } from 'uuid';
import type { Collection } from '../collection';
import { CollectionsRepository } from '../collections.repository';
import { StoreSync, type Unpublished } from '../stores/store-sync.service';
import { analyse, FALLBACK_LANGUAGE } from '../text/analyse';
import { detectLanguage } from '../text/language';
import { tsvector } from '../text/tsvector';
import { PointLedger, type PointRow } from './point-ledger.repository';
import type { CheckedPoint, WritablePoint } from './point';

/** Texts analysed, or points prepared, in one turn of the event loop; texts of one call of the model. */
const TEXTS_PER_TURN = 8;
const POINTS_PER_TURN = 200;
const EMBEDDED_AT_ONCE = 16;

/** A collection whose space is known, and who writes. */
export interface PointTarget {
  collection: Collection;
  space: EmbeddingSpace;
  ownerId: string;
}

/**
 * Writes points of users: a batch is whole or not there, and searchable when it answers. Errors: `conflict` for the id of a document's chunk,
 * `not_found` when the collection has gone, `unavailable` (model; the store, when the points are in the ledger and reach it later).
 */
@Injectable()
export class PointWriter {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly collections: CollectionsRepository,
    private readonly ledger: PointLedger,
    private readonly sync: StoreSync,
    private readonly models: Models,
  ) {}

  /** Vectors for the points that have only a text, by the model of the space. */
  async embedded(points: CheckedPoint[], space: EmbeddingSpace, account: UsageAccount, signal: AbortSignal): Promise<WritablePoint[]> {
    const missing = points.filter((point) => point.vector === null);
    const vectors = new Map<CheckedPoint, Float32Array>();
    if (missing.length > 0) {
      const model = await this.models.resolve('embedding', space.model ?? undefined);
      for (let at = 0; at < missing.length; at += EMBEDDED_AT_ONCE) {
        const batch = missing.slice(at, at + EMBEDDED_AT_ONCE);
        const texts = batch.map((point) => point.text ?? '');
        const answer = await this.models.embed({ model: model.id, texts, input: 'document', signal }, account, 'batch');
        batch.forEach((point, index) => vectors.set(point, vectorAt(answer.vectors, index, model.id)));
      }
    }
    return points.map((point) => ({ ...point, vector: point.vector ?? vectorAt([vectors.get(point)], 0, 'the model') }));
  }

  async write(target: PointTarget, points: WritablePoint[]): Promise<void> {
    const rows = await this.rows(target, points);
    // Points are replaced whole under ids that are known: writing them twice is writing them once.
    const written = await this.postgres.transaction((connection) => this.record(connection, target, rows), { repeatable: true });
    await this.publish(target, rows, written);
  }

  /** What the ledger stores of them. */
  async rows({ collection, space }: PointTarget, points: WritablePoint[]): Promise<PointRow[]> {
    const rows: PointRow[] = [];
    for (const [index, point] of points.entries()) {
      rows.push(rowOf(point, collection, space));
      if (index % (point.text === null ? POINTS_PER_TURN : TEXTS_PER_TURN) === 0) await turn();
    }
    return rows;
  }

  /** In the caller's transaction: the ledger, and the store or what it must learn. */
  async record(connection: Queryable, { collection, space, ownerId }: PointTarget, rows: PointRow[]): Promise<Unpublished> {
    if (!(await this.collections.holds(connection, collection.id, space.id)))
      throw AppError.notFound(`The collection '${collection.name}'`);
    const written = await this.ledger.replace(connection, collection, ownerId, space.id, rows);
    if (written < rows.length) await this.refuseChunks(connection, collection.id, rows);
    return this.sync.written(connection, space, storedVectors(rows, collection.id));
  }

  /** After the commit: resolves once the points can be found by their vectors. */
  async publish({ collection }: PointTarget, rows: PointRow[], written: Unpublished): Promise<void> {
    await this.sync.publish(written, storedVectors(rows, collection.id));
  }

  /** The same for points whose writer did not live to see the end of it. */
  async settle({ collection, space }: PointTarget, ids: string[]): Promise<void> {
    await this.sync.settle(
      space,
      ids.map((id) => userPhysicalId(space, collection.id, id)),
    );
  }

  private async refuseChunks(connection: Queryable, collectionId: string, rows: PointRow[]): Promise<void> {
    const ids = rows.map((row) => row.id);
    const [taken] = await this.ledger.chunksAmong(connection, collectionId, ids);
    const index = taken === undefined ? 0 : ids.indexOf(taken);
    throw new AppError('conflict', `points[${index}].id: belongs to a document; change the document instead.`, {
      errors: [{ path: `points[${index}].id`, message: 'belongs to a document' }],
    });
  }
}

/** Ids are chosen by users, and collections share spaces: the collection's id stands before the point's. */
export function userPhysicalId(space: EmbeddingSpace, collectionId: string, id: string): string {
  return v5(`${collectionId}/${id}`, space.id);
}

function rowOf({ id, text, metadata, vector }: WritablePoint, collection: Collection, space: EmbeddingSpace): PointRow {
  const language = text === null ? null : (collection.language ?? detectLanguage(text));
  const lexemes = text === null ? null : analyse(text, language ?? FALLBACK_LANGUAGE);
  return {
    id,
    physicalId: userPhysicalId(space, collection.id, id),
    text,
    language,
    lexemes: lexemes === null ? null : tsvector(lexemes),
    lexemeCount: lexemes?.length ?? 0,
    metadata,
    vector,
  };
}

function storedVectors(rows: PointRow[], collectionId: string) {
  return rows.map(({ physicalId, vector }) => ({ physicalId, collectionId, vector }));
}

function vectorAt(vectors: (Float32Array | undefined)[], index: number, model: string): Float32Array {
  const vector = vectors[index];
  if (vector === undefined) throw new AppError('internal', `${model} answered too few vectors.`);
  return vector;
}
