import { Injectable } from '@nestjs/common';
import { PostgresClient, type Queryable } from '@backing/postgres';
import type { EmbeddingSpace } from '@kernel/vectors';
import { v5 } from 'uuid';
import { PointsRepository, type DeadPoint, type DocumentPoint, type PointOwner } from './points.repository';
import { StoreSync } from './stores/store-sync.service';
import { analyse, FALLBACK_LANGUAGE } from './text/analyse';
import { tsvector } from './text/tsvector';

/** Rows of one transaction. */
const BATCH = 32;

/** What the ledger is given of a chunk; the rest it derives. `id` is the point's id, `heading` is searchable with the text. */
export type NewPoint = Omit<DocumentPoint, 'physicalId' | 'lexemes' | 'lexemeCount'>;

/** The points of documents, in the ledger and in the store behind it. */
@Injectable()
export class Points {
  constructor(
    private readonly repository: PointsRepository,
    private readonly sync: StoreSync,
    private readonly postgres: PostgresClient,
  ) {}

  /** Part of the caller's transaction; the same points again change nothing. At most 32. Can be found once `publish` has resolved. */
  async record(connection: Queryable, space: EmbeddingSpace, owner: PointOwner, points: NewPoint[]): Promise<void> {
    const { collectionId } = owner;
    const rows = points.map((point) => derived(space, point));
    const fresh = await this.repository.insert(connection, space, owner, rows);
    await this.sync.prepared(
      connection,
      space,
      fresh.map(({ physicalId: id, vector }) => ({ physicalId: id, collectionId, vector })),
    );
  }

  /** Resolves when the store has these points as the ledger has them; again is no harm. */
  async publish(space: EmbeddingSpace, ids: string[]): Promise<void> {
    await this.sync.settle(
      space,
      ids.map((id) => physicalId(space, id)),
    );
  }

  /** Takes the points of a version that nobody has seen away, in the caller's transaction. */
  async forget(connection: Queryable, documentId: string, version: number): Promise<void> {
    await this.leave(connection, await this.repository.deleteVersion(connection, documentId, version));
  }

  totals(connection: Queryable, documentId: string, version: number): Promise<{ chunks: number; lexemes: number }> {
    return this.repository.totals(connection, documentId, version);
  }

  /** Removes every point of deleted, failed and replaced documents; answers how many. */
  async sweep(): Promise<number> {
    for (let removed = 0; ; ) {
      const dead = await this.postgres.transaction(async (connection) => {
        const points = await this.repository.deleteDead(connection, BATCH);
        await this.leave(connection, points);
        return points;
      });
      for (const { space } of dead) this.sync.removalsCommitted(space);
      if (dead.length === 0) return removed;
      removed += dead.length;
    }
  }

  private async leave(connection: Queryable, points: DeadPoint[]): Promise<void> {
    for (const [, group] of Map.groupBy(points, (point) => point.space.id)) {
      const space = group[0]?.space;
      const physicalIds = group.map((point) => point.physicalId);
      if (space !== undefined) await this.sync.removed(connection, space, physicalIds);
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
