import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { VectorStore } from '@kernel/vectors';
import type { StoreView } from './collections.schema';

const NAMES = ['pgvector', 'chroma', 'qdrant', 'faiss'] as const;
/** The database has not answered for so long: it counts as down. */
const SILENT_MS = 10_000;

/** The stores of vectors as they are now; one that is not connected is `disabled`. */
@Injectable()
export class StoreList {
  constructor(
    private readonly store: VectorStore,
    private readonly postgres: PostgresClient,
  ) {}

  async all(): Promise<StoreView[]> {
    const { metrics, maxDimensions, exact, filters } = this.store.capabilities;
    const up = this.postgres.silentMilliseconds < SILENT_MS || (await this.answers());
    return NAMES.map((name): StoreView => {
      if (name !== this.store.name) return { name, status: 'disabled', location: null, default: false, capabilities: null };
      return {
        name,
        status: up ? 'up' : 'down',
        location: this.postgres.embedded ? 'embedded' : 'remote',
        default: true,
        capabilities: { metrics, max_dimensions: maxDimensions, exact, filters },
      };
    });
  }

  private async answers(): Promise<boolean> {
    return this.postgres.ping().then(
      () => true,
      () => false,
    );
  }
}
