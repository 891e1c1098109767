export type Labels = Readonly<Record<string, string | number>>;

/** What a metric is: its name with its unit (`_seconds`, `_bytes`, `_total`), one sentence, and its labels, each of few possible values. */
export interface MetricDescription {
  name: string;
  help: string;
  labels?: readonly string[];
}

export interface Counter {
  add(labels?: Labels, amount?: number): void;
}

export interface Histogram {
  observe(labels: Labels, value: number): void;
}

export interface Reading {
  labels?: Labels;
  value: number;
}

/** Port: figures about this process for a monitoring system. Each part registers its own, once, when it is made; labels never carry ids or paths. */
export abstract class Metrics {
  abstract counter(description: MetricDescription): Counter;
  /** `buckets`: upper bounds in the unit of the metric, ascending. */
  abstract histogram(description: MetricDescription, buckets: readonly number[]): Histogram;
  /** A value that is read when somebody asks; when `read` fails the metric is left out of that answer. */
  abstract gauge(description: MetricDescription, read: () => Reading[] | Promise<Reading[]>): void;
}
