import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Invitations } from '@features/auth';
import type { Principal } from '@kernel/identity';
import { listAnswer, type PageQuery } from '@kernel/paging';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { IdsPipe } from '../http/ids.pipe';
import { pageQuery } from '../http/page.schema';
import { invitationListSchema, invitationView } from './workspaces.schema';

/** Invitations into a workspace that nobody has accepted yet. */
@ApiTags('workspaces')
@Controller('api/v1/workspaces/:id/invitations')
export class InvitationsController {
  constructor(private readonly invitations: Invitations) {}

  @Get()
  @Access('any', 'viewer', { member: 'admin' })
  @ApiOperation({ summary: 'List the invitations that can still be accepted.' })
  @Answers(200, invitationListSchema, 'A page of invitations, without their tokens.')
  @Problems('not_found')
  async list(@Param('id', IdPipe) id: string, @Query({ schema: pageQuery }) query: PageQuery, @Caller() principal: Principal) {
    const page = await this.invitations.list(principal, id, query);
    return listAnswer({ data: page.data.map(invitationView), hasMore: page.hasMore }, (invitation) => invitation.id);
  }

  @Delete(':invitation')
  @HttpCode(204)
  @Access('any', 'viewer', { member: 'admin' })
  @ApiOperation({ summary: 'Take an invitation back: its token is refused from now on.' })
  @ApiParam({ name: 'id' })
  @ApiParam({ name: 'invitation' })
  @Answers(204, undefined, 'Taken back.')
  @Problems('not_found')
  async revoke(@Param(IdsPipe) { id, invitation }: { id: string; invitation: string }, @Caller() principal: Principal): Promise<void> {
    await this.invitations.revoke(principal, id, invitation);
  }
}
