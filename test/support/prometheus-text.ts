/** One line of a sample. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface MetricFamily {
  name: string;
  type: string;
  help: string;
  samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;
const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);
const SUFFIXES: Record<string, string[]> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
  counter: [''],
  gauge: [''],
  untyped: [''],
};

/**
 * Reads the text format 0.0.4 of Prometheus (prometheus.io/docs/instrumenting/exposition_formats) as strictly as it is written: HELP and TYPE
 * before the samples of a family, a family in one piece, no sample twice, whole histograms with growing buckets. Throws at the first fault.
 */
export function parseMetrics(text: string): Map<string, MetricFamily> {
  if (!text.endsWith('\n')) throw new Error('The last line does not end.');
  const families = new Map<string, MetricFamily>();
  const seen = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let family: MetricFamily | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [mark, kind, name = '', ...rest] = line.split(' ');
    if (mark === '#' && kind === 'HELP') help = { name: named(name, line), text: rest.join(' ') };
    else if (mark === '#' && kind === 'TYPE') {
      if (help?.name !== name) throw new Error(`TYPE without HELP: ${line}`);
      if (families.has(name)) throw new Error(`The family ${name} comes twice.`);
      if (rest.length !== 1 || !TYPES.has(rest[0] ?? '')) throw new Error(`Not a type: ${line}`);
      family = { name, type: rest[0] ?? '', help: help.text, samples: [] };
      families.set(name, family);
    } else family?.samples.push(sampleOf(line, family, seen));
  }
  for (const whole of families.values()) if (whole.type === 'histogram') checkHistogram(whole);
  return families;
}

function named(name: string, line: string): string {
  if (!NAME.test(name)) throw new Error(`Not a name: ${line}`);
  return name;
}

function sampleOf(line: string, family: MetricFamily, seen: Set<string>): Sample {
  const match = SAMPLE.exec(line);
  if (match === null) throw new Error(`Not a sample: ${line}`);
  const [, name = '', body = '', value = ''] = match;
  if (!SUFFIXES[family.type]?.some((suffix) => name === family.name + suffix)) throw new Error(`${name} stands under ${family.name}.`);
  const labels = labelsOf(body, line);
  const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
  if (seen.has(key)) throw new Error(`A sample comes twice: ${line}`);
  seen.add(key);
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

function labelsOf(body: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < body.length) {
    const match = LABEL.exec(body);
    if (match === null) throw new Error(`Not labels: ${line}`);
    const [, name = '', value = ''] = match;
    if (name in labels) throw new Error(`A label comes twice: ${line}`);
    labels[name] = value.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
  }
  return labels;
}

function checkHistogram({ name, samples }: MetricFamily): void {
  const series = new Map<string, { last: number; bound: number; total?: number; sum?: number }>();
  for (const sample of samples) {
    const { le, ...labels } = sample.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    const state = series.get(key) ?? { last: 0, bound: -Infinity };
    series.set(key, state);
    if (sample.name === `${name}_sum`) state.sum = sample.value;
    else if (sample.name === `${name}_count`) state.total = sample.value;
    else {
      const bound = Number(le?.replace('Inf', 'Infinity'));
      if (!(bound > state.bound)) throw new Error(`${name}: buckets do not ascend at ${le}.`);
      if (sample.value < state.last) throw new Error(`${name}: the counts of its buckets fall at ${le}.`);
      Object.assign(state, { bound, last: sample.value });
    }
  }
  for (const { last, bound, total, sum } of series.values())
    if (bound !== Infinity || total !== last || sum === undefined) throw new Error(`${name} is not whole.`);
}

/** The value of a sample with exactly these labels; undefined when there is none. */
export function valueOf(families: Map<string, MetricFamily>, name: string, labels: Record<string, string> = {}): number | undefined {
  const samples = [...families.values()].flatMap((family) => family.samples);
  const wanted = JSON.stringify(Object.entries(labels).sort());
  return samples.find((sample) => sample.name === name && JSON.stringify(Object.entries(sample.labels).sort()) === wanted)?.value;
}
