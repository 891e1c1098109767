import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Workspaces, type Workspace } from '@features/auth';
import { WorkspaceRemoval } from '@features/workspaces';
import type { Principal } from '@kernel/identity';
import { listAnswer, type PageQuery } from '@kernel/paging';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { acceptedVersions, entityTag, IF_MATCH } from '../http/entity-tag';
import { IdPipe } from '../http/id.pipe';
import { pageQuery } from '../http/page.schema';
import {
  changeWorkspaceBody,
  createWorkspaceBody,
  workspaceListSchema,
  workspaceSchema,
  workspaceView,
  type ChangeWorkspaceBody,
  type CreateWorkspaceBody,
} from './workspaces.schema';

/** The workspaces that the caller is in, whatever workspace the token is for. */
@ApiTags('workspaces')
@Controller('api/v1/workspaces')
export class WorkspacesController {
  constructor(
    private readonly workspaces: Workspaces,
    private readonly removal: WorkspaceRemoval,
  ) {}

  @Post()
  @HttpCode(201)
  @Access('any', 'viewer', { persons: true, creates: 'answer' })
  @ApiOperation({ summary: 'Make a workspace; you own it. Switch to it to work in it.' })
  @Answers(201, workspaceSchema, 'The workspace.')
  @Problems('conflict')
  async create(
    @Body({ schema: createWorkspaceBody }) body: CreateWorkspaceBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const workspace = await this.workspaces.create(principal, body.name);
    void reply.header('Location', `/api/v1/workspaces/${workspace.id}`);
    return shown(workspace, reply);
  }

  @Get()
  @Access('any', 'viewer', { member: 'viewer' })
  @ApiOperation({ summary: 'List the workspaces that you are in; an API key (scope admin) sees its own.' })
  @Answers(200, workspaceListSchema, 'A page of workspaces.')
  async list(@Query({ schema: pageQuery }) query: PageQuery, @Caller() principal: Principal) {
    const page = await this.workspaces.list(principal, query);
    return listAnswer({ data: page.data.map(workspaceView), hasMore: page.hasMore }, ({ id }) => id);
  }

  @Get(':id')
  @Access('any', 'viewer', { member: 'viewer' })
  @ApiOperation({ summary: 'Read a workspace that you are in.' })
  @Answers(200, workspaceSchema, 'The workspace; its ETag is for If-Match.')
  @Problems('not_found')
  async get(@Param('id', IdPipe) id: string, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    return shown(await this.workspaces.get(principal, id), reply);
  }

  @Patch(':id')
  @Access('any', 'viewer', { member: 'admin' })
  @ApiOperation({ summary: 'Rename a workspace.' })
  @ApiHeader(IF_MATCH)
  @Answers(200, workspaceSchema, 'The changed workspace.')
  @Problems('not_found', 'precondition_failed')
  async change(
    @Param('id', IdPipe) id: string,
    @Body({ schema: changeWorkspaceBody }) body: ChangeWorkspaceBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return shown(await this.workspaces.rename(principal, id, body.name, acceptedVersions(ifMatch)), reply);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('any', 'viewer', { member: 'owner' })
  @ApiOperation({
    summary: 'Delete a workspace with everything in it: every token and key of it is refused from now on, its jobs are cancelled.',
  })
  @ApiHeader(IF_MATCH)
  @Answers(204, undefined, 'Deleted.')
  @Problems('not_found', 'precondition_failed')
  async delete(
    @Param('id', IdPipe) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
  ): Promise<void> {
    await this.removal.remove(principal, id, acceptedVersions(ifMatch));
  }
}

function shown(workspace: Workspace, reply: FastifyReply) {
  void reply.header('ETag', entityTag(workspace.version));
  return workspaceView(workspace);
}
