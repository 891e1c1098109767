import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { UsageReport } from '@features/usage';
import type { Principal } from '@kernel/identity';
import { Access } from '../http/access.decorator';
import { Answers } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { begin, end, usageQuery, usageSchema, usageView, type UsageQuery } from './usage.schema';

/** What model calls have used. */
@ApiTags('usage')
@Controller('api/v1/usage')
export class UsageController {
  constructor(private readonly report: UsageReport) {}

  @Get()
  @Access('any')
  @ApiOperation({ summary: 'Tokens, calls and seconds in groups: of the workspace for its admins, your own otherwise.' })
  @Answers(200, usageSchema, 'The totals of each group and of all.')
  async read(@Query({ schema: usageQuery }) query: UsageQuery, @Caller() principal: Principal) {
    const { from, to, group_by: groupBy } = query;
    const question = { groupBy, from: from === undefined ? undefined : begin(from), to: to === undefined ? undefined : end(to) };
    return usageView(groupBy, await this.report.read(principal, question));
  }
}
