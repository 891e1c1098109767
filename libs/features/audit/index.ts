export { AUDIT_ACTIONS, type AuditAction, type AuditDetails, type AuditEntry, type StoredAuditEntry } from './audit-entry';
export { AuditModule } from './audit.module';
export { AuditRepository, type AuditFilter } from './audit.repository';
export { AuditRetention } from './audit-retention.service';
export { Audit, type AuditOrigin } from './audit.service';
