import type { Metric } from '@kernel/vectors';

/** The contract's score of two vectors in float64, rounded to 1e-6: higher is better whatever the metric. */
export function similarity(metric: Metric, a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  let distance = 0;
  for (let i = 0; i < a.length; i += 1) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
    distance += (x - y) * (x - y);
  }
  const score =
    metric === 'cosine' ? dot / (Math.sqrt(squaresA) * Math.sqrt(squaresB) || 1) : metric === 'dot' ? dot : -Math.sqrt(distance);
  // Adding zero turns -0 into 0.
  return Math.round(score * 1e6) / 1e6 + 0;
}
