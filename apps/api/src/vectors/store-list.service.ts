import { Injectable } from '@nestjs/common';
import { Health, type ServiceReport } from '@features/health';
import { VectorStores } from '@kernel/vectors';
import type { StoreView } from './collections.schema';

const NAMES = ['pgvector', 'chroma', 'qdrant', 'faiss'] as const;

/** The stores of vectors as the health checks see them; one that is not connected is `disabled`. */
@Injectable()
export class StoreList {
  constructor(
    private readonly stores: VectorStores,
    private readonly health: Health,
  ) {}

  async all(): Promise<StoreView[]> {
    const reports = await this.health.services();
    return NAMES.map((name) => {
      const service = name === 'pgvector' ? 'postgres' : name;
      return this.view(
        name,
        reports.find((report) => report.name === service),
      );
    });
  }

  private view(name: StoreView['name'], report: ServiceReport | undefined): StoreView {
    const store = this.stores.find(name);
    if (store === undefined || report === undefined || report.status === 'disabled')
      return { name, status: 'disabled', location: null, default: false, capabilities: null };
    const { metrics, maxDimensions, exact, filters } = store.capabilities;
    return {
      name,
      status: report.status,
      location: report.driver === 'embedded' ? 'embedded' : 'remote',
      default: store === this.stores.usual,
      capabilities: { metrics, max_dimensions: maxDimensions, exact, filters },
    };
  }
}
