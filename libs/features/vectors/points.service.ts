import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { VectorStore, type EmbeddingSpace } from '@kernel/vectors';
import { v5 } from 'uuid';
import { PointsRepository, type DocumentPoint, type PointOwner } from './points.repository';
import { analyse, FALLBACK_LANGUAGE } from './text/analyse';
import { tsvector } from './text/tsvector';

/** Rows of one transaction. */
const BATCH = 32;

/** What the ledger is given of a chunk; the rest it derives. `id` is the point's id, `heading` is searchable with the text. */
export type NewPoint = Omit<DocumentPoint, 'physicalId' | 'lexemes' | 'lexemeCount'>;

/** The ledger of points and the vector store behind it: the ledger first, then the store, and away in the other order. */
@Injectable()
export class Points {
  constructor(
    private readonly repository: PointsRepository,
    private readonly store: VectorStore,
  ) {}

  /** Writes to the ledger only, inside the caller's transaction; the same points again change nothing. At most 32. */
  async record(connection: Queryable, space: EmbeddingSpace, owner: PointOwner, points: NewPoint[]): Promise<void> {
    await this.repository.insert(
      connection,
      space,
      owner,
      points.map((point) => derived(space, point)),
    );
  }

  /** Brings the ledger's vectors of these points into the store; again is no harm. */
  async publish(space: EmbeddingSpace, ids: string[]): Promise<void> {
    await this.store.upsert(space, await this.repository.vectors(ids.map((id) => physicalId(space, id))));
  }

  /** Takes out of the store what a writer left there that had lost its job: points of which the ledger knows nothing. */
  async retract(space: EmbeddingSpace, ids: string[]): Promise<void> {
    const physicalIds = ids.map((id) => physicalId(space, id));
    const known = new Set((await this.repository.vectors(physicalIds)).map((vector) => vector.physicalId));
    await this.store.delete(
      space,
      physicalIds.filter((id) => !known.has(id)),
    );
  }

  /** Takes the points of a version that nobody has seen out of the ledger. */
  forget(connection: Queryable, documentId: string, version: number): Promise<void> {
    return this.repository.deleteVersion(connection, documentId, version);
  }

  totals(connection: Queryable, documentId: string, version: number): Promise<{ chunks: number; lexemes: number }> {
    return this.repository.totals(connection, documentId, version);
  }

  /** Removes every point of deleted, failed and replaced documents from the store and then from the ledger; answers how many. */
  async sweep(): Promise<number> {
    let removed = 0;
    for (;;) {
      const dead = await this.repository.dead(BATCH);
      if (dead.length === 0) return removed;
      for (const [, points] of Map.groupBy(dead, (point) => point.space.id)) {
        const space = points[0]?.space;
        if (space === undefined) continue;
        const physicalIds = points.map((point) => point.physicalId);
        await this.store.delete(space, physicalIds);
        await this.repository.deleteDead(physicalIds);
      }
      removed += dead.length;
    }
  }
}

/** UUIDv5(space id, point id): repeats of a write meet the same row of the store. */
export function physicalId(space: EmbeddingSpace, id: string): string {
  return v5(id, space.id);
}

function derived(space: EmbeddingSpace, point: NewPoint): DocumentPoint {
  const lexemes = analyse(point.heading === null ? point.text : `${point.heading}\n${point.text}`, point.language ?? FALLBACK_LANGUAGE);
  return { ...point, physicalId: physicalId(space, point.id), lexemes: tsvector(lexemes), lexemeCount: lexemes.length };
}
