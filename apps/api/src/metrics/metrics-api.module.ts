import { Module } from '@nestjs/common';
import { PostgresModule } from '@backing/postgres';
import { MetricsServer, PrometheusModule } from '@backing/prometheus';
import { DatabaseMetrics } from './database-metrics.service';
import { HttpMetrics } from './http-metrics.service';

/** Metrics of this process on a port of their own. */
@Module({
  imports: [PostgresModule, PrometheusModule],
  providers: [DatabaseMetrics, HttpMetrics, MetricsServer],
  exports: [HttpMetrics],
})
export class MetricsApiModule {}
