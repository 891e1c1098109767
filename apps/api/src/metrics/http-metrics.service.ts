import { Injectable } from '@nestjs/common';
import { Metrics, type Histogram } from '@kernel/metrics';

/** Seconds, from a cached answer to the longest stream that a gateway allows. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What the HTTP edge does: requests by method, route pattern and status, and those that are not answered yet. */
@Injectable()
export class HttpMetrics {
  private readonly durations: Histogram;
  private inFlight = 0;

  constructor(metrics: Metrics) {
    this.durations = metrics.histogram(
      {
        name: 'http_request_duration_seconds',
        help: 'From the first byte of a request to the last of its answer; a stream lasts as long as it is open.',
        labels: ['method', 'route', 'status'],
      },
      BUCKETS,
    );
    metrics.gauge({ name: 'http_requests_in_flight', help: 'Requests that are not answered yet, open streams included.' }, () => [
      { value: this.inFlight },
    ]);
  }

  begin(): void {
    this.inFlight += 1;
  }

  /** `route` is the pattern, never the path that was asked for. */
  end(method: string, route: string, status: number, milliseconds: number): void {
    this.inFlight -= 1;
    this.durations.observe({ method: METHODS.has(method) ? method : 'other', route, status }, milliseconds / 1_000);
  }
}
