import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Invitations, ResetTokens, Users, type Person } from '@features/auth';
import { UserRemoval } from '@features/workspaces';
import type { Principal } from '@kernel/identity';
import { listAnswer, type PageQuery } from '@kernel/paging';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { acceptedVersions, entityTag, IF_MATCH } from '../http/entity-tag';
import { IdPipe } from '../http/id.pipe';
import { pageQuery } from '../http/page.schema';
import { invitationPath, inviteBody, issuedInvitationSchema, issuedInvitationView, type InviteBody } from '../workspaces/workspaces.schema';
import {
  changeUserBody,
  issuedResetSchema,
  issuedResetView,
  personChange,
  personListSchema,
  personSchema,
  personView,
  type ChangeUserBody,
} from './users.schema';

/** The people of the instance. */
@ApiTags('users')
@Controller('api/v1/users')
export class UsersController {
  constructor(
    private readonly users: Users,
    private readonly removal: UserRemoval,
    private readonly invitations: Invitations,
    private readonly resets: ResetTokens,
  ) {}

  @Post()
  @HttpCode(201)
  @Access('admin', 'admin', { creates: 'secret' })
  @ApiOperation({ summary: 'Invite somebody into the workspace of your token, at most into your own role.' })
  @Answers(201, issuedInvitationSchema, 'The invitation with its token, which is good once, for 72 hours.')
  @Problems('conflict')
  async invite(
    @Body({ schema: inviteBody }) body: InviteBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const issued = await this.invitations.issue(principal, principal.workspaceId, body);
    void reply.header('Location', invitationPath(issued));
    return issuedInvitationView(issued);
  }

  @Get()
  @Access('any', 'viewer', { instance: true })
  @ApiOperation({ summary: 'List all people of the instance; for the instance admin.' })
  @Answers(200, personListSchema, 'A page of people.')
  async list(@Query({ schema: pageQuery }) query: PageQuery) {
    const page = await this.users.list(query);
    return listAnswer({ data: page.data.map(personView), hasMore: page.hasMore }, ({ id }) => id);
  }

  @Get(':id')
  @Access('any')
  @ApiOperation({ summary: 'Read a person: yourself, or anybody as the instance admin.' })
  @Answers(200, personSchema, 'The person; the ETag is for If-Match.')
  @Problems('not_found')
  async get(@Param('id', IdPipe) id: string, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    return shown(await this.users.get(principal, id), reply);
  }

  @Patch(':id')
  @Access('any')
  @ApiOperation({ summary: 'Change a name (also your own); as the instance admin suspend, resume, and make or unmake instance admins.' })
  @ApiHeader(IF_MATCH)
  @Answers(200, personSchema, 'The changed person.')
  @Problems('not_found', 'conflict', 'precondition_failed')
  async change(
    @Param('id', IdPipe) id: string,
    @Body({ schema: changeUserBody }) body: ChangeUserBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return shown(await this.users.change(principal, id, personChange(body), acceptedVersions(ifMatch)), reply);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('any', 'viewer', { instance: true })
  @ApiOperation({ summary: 'Delete a person with all that is private to them; what they shared stays. For the instance admin.' })
  @ApiHeader(IF_MATCH)
  @Answers(204, undefined, 'Deleted.')
  @Problems('not_found', 'conflict', 'precondition_failed')
  async delete(
    @Param('id', IdPipe) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
  ): Promise<void> {
    await this.removal.remove(principal, id, acceptedVersions(ifMatch));
  }

  @Post(':id/reset')
  @HttpCode(201)
  @Access('any', 'viewer', { instance: true, creates: 'secret' })
  @ApiOperation({ summary: 'Make a token with which a person sets a new password, good once, for 72 hours. For the instance admin.' })
  @Answers(201, issuedResetSchema, 'The token; earlier ones of this person are refused from now on.')
  @Problems('not_found')
  async reset(@Param('id', IdPipe) id: string, @Caller() principal: Principal) {
    return issuedResetView(await this.resets.issue(principal, id));
  }
}

function shown(person: Person, reply: FastifyReply) {
  void reply.header('ETag', entityTag(person.version));
  return personView(person);
}
