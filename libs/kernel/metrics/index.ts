export { Metrics, type Counter, type Histogram, type Labels, type MetricDescription, type Reading } from './metrics';
