import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Invitations, Members, type Member } from '@features/auth';
import type { Principal } from '@kernel/identity';
import { listAnswer, type PageQuery } from '@kernel/paging';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { acceptedVersions, entityTag, IF_MATCH } from '../http/entity-tag';
import { IdPipe } from '../http/id.pipe';
import { IdsPipe } from '../http/ids.pipe';
import { pageQuery } from '../http/page.schema';
import {
  changeMemberBody,
  invitationPath,
  inviteBody,
  issuedInvitationSchema,
  issuedInvitationView,
  memberListSchema,
  memberSchema,
  memberView,
  type ChangeMemberBody,
  type InviteBody,
} from './workspaces.schema';

interface MemberPath {
  id: string;
  user: string;
}

/** Who is in a workspace, and in which role. */
@ApiTags('workspaces')
@Controller('api/v1/workspaces/:id/members')
export class MembersController {
  constructor(
    private readonly members: Members,
    private readonly invitations: Invitations,
  ) {}

  @Post()
  @HttpCode(201)
  @Access('any', 'viewer', { member: 'admin', creates: 'secret' })
  @ApiOperation({
    summary: 'Invite somebody into the workspace, at most into your own role; hand them the token, which is good once, for 72 hours.',
  })
  @Answers(201, issuedInvitationSchema, 'The invitation with its token.')
  @Problems('not_found', 'conflict')
  async invite(
    @Param('id', IdPipe) id: string,
    @Body({ schema: inviteBody }) body: InviteBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const issued = await this.invitations.issue(principal, id, body);
    void reply.header('Location', invitationPath(issued));
    return issuedInvitationView(issued);
  }

  @Get()
  @Access('any', 'viewer', { member: 'viewer' })
  @ApiOperation({ summary: 'List the members of a workspace that you are in.' })
  @Answers(200, memberListSchema, 'A page of members.')
  @Problems('not_found')
  async list(@Param('id', IdPipe) id: string, @Query({ schema: pageQuery }) query: PageQuery, @Caller() principal: Principal) {
    const page = await this.members.list(principal, id, query);
    return listAnswer({ data: page.data.map(memberView), hasMore: page.hasMore }, (member) => member.id);
  }

  @Get(':user')
  @Access('any', 'viewer', { member: 'viewer' })
  @ApiOperation({ summary: 'Read a member of a workspace that you are in.' })
  @ApiParam({ name: 'id' })
  @ApiParam({ name: 'user' })
  @Answers(200, memberSchema, 'The member; its ETag is for If-Match.')
  @Problems('not_found')
  async get(@Param(IdsPipe) { id, user }: MemberPath, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    return shown(await this.members.get(principal, id, user), reply);
  }

  @Patch(':user')
  @Access('any', 'viewer', { member: 'admin' })
  @ApiOperation({ summary: 'Change the role of a member; owners are made and changed by owners, and one always stays.' })
  @ApiHeader(IF_MATCH)
  @ApiParam({ name: 'id' })
  @ApiParam({ name: 'user' })
  @Answers(200, memberSchema, 'The changed member.')
  @Problems('not_found', 'conflict', 'precondition_failed')
  async change(
    @Param(IdsPipe) { id, user }: MemberPath,
    @Body({ schema: changeMemberBody }) body: ChangeMemberBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return shown(await this.members.changeRole(principal, id, user, body.role, acceptedVersions(ifMatch)), reply);
  }

  @Delete(':user')
  @HttpCode(204)
  @Access('any', 'viewer', { member: 'viewer' })
  @ApiOperation({
    summary: 'Remove a member (role admin), or leave yourself: their tokens and keys of this workspace are refused from now on.',
  })
  @ApiHeader(IF_MATCH)
  @ApiParam({ name: 'id' })
  @ApiParam({ name: 'user' })
  @Answers(204, undefined, 'No longer a member.')
  @Problems('not_found', 'conflict', 'precondition_failed')
  async remove(
    @Param(IdsPipe) { id, user }: MemberPath,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
  ): Promise<void> {
    await this.members.remove(principal, id, user, acceptedVersions(ifMatch));
  }
}

function shown(member: Member, reply: FastifyReply) {
  void reply.header('ETag', entityTag(member.version));
  return memberView(member);
}
