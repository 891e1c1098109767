import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { Metrics } from '@kernel/metrics';

const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What the database costs: connections of this process by state, and how long its statements take. */
@Injectable()
export class DatabaseMetrics {
  constructor(metrics: Metrics, postgres: PostgresClient) {
    metrics.gauge(
      { name: 'db_pool_connections', help: 'Connections to the database; waiting: callers that wait for one.', labels: ['state'] },
      () => {
        const { open, idle, waiting } = postgres.pool;
        return [
          { labels: { state: 'open' }, value: open },
          { labels: { state: 'idle' }, value: idle },
          { labels: { state: 'waiting' }, value: waiting },
        ];
      },
    );
    const durations = metrics.histogram(
      { name: 'db_client_operation_duration_seconds', help: 'One statement, the wait for a connection included.' },
      BUCKETS,
    );
    postgres.watch((seconds) => durations.observe({}, seconds));
  }
}
