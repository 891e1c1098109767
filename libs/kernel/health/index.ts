export type { IndicatorAnswer, ServiceIndicator } from './service-indicator';
