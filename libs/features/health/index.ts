export { HealthModule } from './health.module';
export { Health, overall, type HealthSummary } from './health.service';
export { Readiness } from './readiness.service';
export type { ServiceReport, ServiceStatus } from './service-report';
