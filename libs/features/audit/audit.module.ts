import { Module } from '@nestjs/common';
import { AuditRepository } from './audit.repository';
import { AuditRetention } from './audit-retention.service';
import { Audit } from './audit.service';

/** The record of who did what. */
@Module({ providers: [Audit, AuditRepository, AuditRetention], exports: [Audit, AuditRetention] })
export class AuditModule {}
