export { masked } from './masked';
export type { IndicatorAnswer, ServiceIndicator } from './service-indicator';
