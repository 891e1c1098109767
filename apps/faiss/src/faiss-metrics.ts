import type { FaissEngine } from '@backing/faiss';
import { MetricsServer, type Probes, PrometheusMetrics } from '@backing/prometheus';
import type { AppConfig } from '@kernel/config';

/** What the service shows on METRICS_PORT: the process, and what the engine holds. */
export function faissMetrics(config: AppConfig, engine: FaissEngine, probes: Probes): MetricsServer {
  const metrics = new PrometheusMetrics();
  const figure = (name: string, help: string, read: () => number): void =>
    metrics.gauge({ name: `sutazai_faiss_${name}`, help }, () => [{ value: read() }]);
  figure('indexes', 'Indexes in memory.', () => engine.figures.indexes);
  figure('vectors', 'Vectors in memory.', () => engine.figures.vectors);
  figure('tombstones', 'Deleted vectors whose rows are still there.', () => engine.figures.tombstones);
  figure('vector_bytes', "Bytes that the vectors need, without FAISS's own copy.", () => engine.figures.bytes);
  return new MetricsServer(config, metrics, probes);
}
