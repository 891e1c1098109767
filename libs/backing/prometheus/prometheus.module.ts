import { Module } from '@nestjs/common';
import { Metrics } from '@kernel/metrics';
import { PrometheusMetrics } from './prometheus-metrics.client';

/** The metrics of this application; who shows them also provides `MetricsServer`. */
@Module({
  providers: [PrometheusMetrics, { provide: Metrics, useExisting: PrometheusMetrics }],
  exports: [PrometheusMetrics, Metrics],
})
export class PrometheusModule {}
