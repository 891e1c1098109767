export { HealthModule } from './health.module';
export { Health, overall, type HealthDetails, type HealthSummary } from './health.service';
export { Readiness } from './readiness.service';
export type { ServiceReport, ServiceStatus } from './service-report';
