import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audit } from '@features/audit';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import { Access } from '../http/access.decorator';
import { Answers } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { auditEntryView, auditListSchema, auditQuery, type AuditQuery } from './audit.schema';

/** Who did what. */
@ApiTags('audit')
@Controller('api/v1/audit')
export class AuditController {
  constructor(private readonly audit: Audit) {}

  @Get()
  @Access('admin', 'admin')
  @ApiOperation({ summary: 'List the audit entries of the workspace for its admins, of everything for the instance admin; newest first.' })
  @Answers(200, auditListSchema, 'A page of entries.')
  async list(@Query({ schema: auditQuery }) query: AuditQuery, @Caller() principal: Principal) {
    const { limit, after, before, order, scope, action, user_id: userId, from, to } = query;
    const filter = {
      action,
      userId,
      from: from === undefined ? undefined : new Date(from),
      to: to === undefined ? undefined : new Date(to),
    };
    const found = await this.audit.page(principal, scope, filter, { limit, after, before, order });
    return listAnswer({ data: found.data.map(auditEntryView), hasMore: found.hasMore }, (entry) => entry.id);
  }
}
