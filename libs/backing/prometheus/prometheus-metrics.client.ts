import { Injectable } from '@nestjs/common';
import { releaseVersion } from '@kernel/config';
import { Metrics, type Counter, type Histogram, type MetricDescription, type Reading } from '@kernel/metrics';
import * as prometheus from 'prom-client';

/**
 * The metrics of one application in a registry of its own, in the text format 0.0.4 of Prometheus: what the parts registered, the process, the
 * event loop and the release. A metric registered twice is one.
 */
@Injectable()
export class PrometheusMetrics extends Metrics {
  readonly contentType: string;
  private readonly registry = new prometheus.Registry();
  private readonly counters = new Map<string, Counter>();
  private readonly histograms = new Map<string, Histogram>();

  constructor() {
    super();
    this.contentType = this.registry.contentType;
    prometheus.collectDefaultMetrics({ register: this.registry });
    this.gauge({ name: 'sutazai_build_info', help: 'The release that runs, as a label.', labels: ['version'] }, () => [
      { labels: { version: releaseVersion() }, value: 1 },
    ]);
  }

  /** Everything as text; one metric that cannot be read now is left out. What has no value yet (the lag between two quick looks) is `NaN`. */
  async text(): Promise<string> {
    // The registry writes it as the format does not.
    return (await this.registry.metrics()).replaceAll(/ Nan$/gm, ' NaN');
  }

  counter({ name, help, labels = [] }: MetricDescription): Counter {
    return known(this.counters, name, () => {
      const counter = new prometheus.Counter({ name, help, labelNames: [...labels], registers: [this.registry] });
      return { add: (values = {}, amount = 1) => counter.inc(values, amount) };
    });
  }

  histogram({ name, help, labels = [] }: MetricDescription, buckets: readonly number[]): Histogram {
    return known(this.histograms, name, () => {
      const histogram = new prometheus.Histogram({
        name,
        help,
        labelNames: [...labels],
        buckets: [...buckets],
        registers: [this.registry],
      });
      return { observe: (values, value) => histogram.observe(values, value) };
    });
  }

  gauge({ name, help, labels = [] }: MetricDescription, read: () => Reading[] | Promise<Reading[]>): void {
    new prometheus.Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      async collect() {
        const readings = await Promise.resolve()
          .then(read)
          .catch(() => []);
        // What was true at the last look may be gone.
        this.reset();
        if (labels.length === 0) this.remove();
        for (const { labels: values = {}, value } of readings) this.set(values, value);
      },
    });
  }
}

function known<T>(registered: Map<string, T>, name: string, make: () => T): T {
  const metric = registered.get(name) ?? make();
  registered.set(name, metric);
  return metric;
}
