export { MetricsServer } from './metrics-server.service';
export { PrometheusMetrics } from './prometheus-metrics.client';
export { PrometheusModule } from './prometheus.module';
export { Probes } from './probes';
