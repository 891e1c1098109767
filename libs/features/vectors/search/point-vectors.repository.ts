import { setImmediate as turn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { filterCondition, pointMetadata, PostgresClient, sql, visiblePoint } from '@backing/postgres';
import type { EmbeddingSpace, VectorFilter } from '@kernel/vectors';
import { byScore } from '../fusion';
import { similarity } from '../similarity';
import { vectorOf } from '../vector-bytes';

/** Bytes of vectors that are read, and compared, at once. */
const BYTES_PER_BATCH = 1_048_576;
const FLOAT = 4;

interface Neighbour {
  id: string;
  physicalId: string;
  score: number;
}

/** What a scan looks for. */
export interface ScanQuestion {
  space: EmbeddingSpace;
  vector: Float32Array;
  depth: number;
}

/** The vectors of a collection as the ledger has them, for exact search over whatever store. */
@Injectable()
export class PointVectors {
  constructor(private readonly postgres: PostgresClient) {}

  /** Ids in the store of the `depth` nearest points that fit, ties by id; batch by batch, so that neither memory nor event loop feels it. */
  async nearest(collectionId: string, filter: VectorFilter, { space, vector, depth }: ScanQuestion): Promise<string[]> {
    const rowsPerBatch = Math.max(1, Math.floor(BYTES_PER_BATCH / (space.dimensions * FLOAT)));
    let found: Neighbour[] = [];
    for (let after: string | undefined; ; ) {
      const beyond = after === undefined ? sql`` : sql` AND p.id COLLATE "C" > ${after}`;
      const rows = await this.postgres.query<{ id: string; physical_id: string; vector: Buffer }>(
        sql`SELECT p.id, p.physical_id, p.vector FROM points p LEFT JOIN documents d ON d.id = p.document_id
            WHERE p.collection_id = ${collectionId}::uuid AND ${visiblePoint()} AND ${filterCondition(filter, pointMetadata())}${beyond}
            ORDER BY p.id COLLATE "C" LIMIT ${rowsPerBatch}`,
      );
      const scored = rows.map((row) => ({
        id: row.id,
        physicalId: row.physical_id,
        score: similarity(space.metric, vector, vectorOf(row.vector)),
      }));
      found = byScore(
        [...found, ...scored],
        (each) => each.score,
        (each) => each.id,
      ).slice(0, depth);
      after = rows.at(-1)?.id;
      if (rows.length < rowsPerBatch) return found.map(({ physicalId }) => physicalId);
      await turn();
    }
  }
}
