import { Module } from '@nestjs/common';
import { AuditModule } from '@features/audit';
import { AuditController } from './audit.controller';

/** The HTTP edge of the audit log. */
@Module({ imports: [AuditModule], controllers: [AuditController] })
export class AuditApiModule {}
