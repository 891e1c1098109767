import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AgentRemoval, Agents, ToolBox, type Agent } from '@features/agents';
import type { Principal } from '@kernel/identity';
import { listAnswer, type PageQuery } from '@kernel/paging';
import type { FastifyReply } from 'fastify';
import { acceptedVersions, entityTag, IF_MATCH } from '../http/entity-tag';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { pageQuery } from '../http/page.schema';
import {
  agentInput,
  agentListSchema,
  agentSchema,
  agentView,
  changeAgentBody,
  createAgentBody,
  toolListSchema,
  type ChangeAgentBody,
  type CreateAgentBody,
} from './agents.schema';

/** Agents, shared by the members of a workspace. */
@ApiTags('agents')
@Controller('api/v1/agents')
export class AgentsController {
  constructor(
    private readonly agents: Agents,
    private readonly removal: AgentRemoval,
    private readonly toolBox: ToolBox,
  ) {}

  @Post()
  @HttpCode(201)
  @Access('agents:write', 'editor', { creates: 'answer' })
  @ApiOperation({ summary: 'Make an agent.' })
  @Answers(201, agentSchema, 'The agent.')
  @Problems('not_found', 'conflict')
  async create(
    @Body({ schema: createAgentBody }) body: CreateAgentBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const agent = await this.agents.create(principal, agentInput(body));
    void reply.header('Location', `/api/v1/agents/${agent.id}`);
    return shown(agent, reply);
  }

  @Get()
  @Access('agents:read')
  @ApiOperation({ summary: 'List the agents of the workspace; each workspace begins with a ready-made one.' })
  @Answers(200, agentListSchema, 'A page of agents.')
  async list(@Query({ schema: pageQuery }) query: PageQuery, @Caller() principal: Principal) {
    const page = await this.agents.list(principal, query);
    return listAnswer({ data: page.data.map(agentView), hasMore: page.hasMore }, ({ id }) => id);
  }

  @Get('tools')
  @Access('agents:read')
  @ApiOperation({ summary: 'List the tools that agents can be granted.' })
  @Answers(200, toolListSchema, 'All tools.')
  tools() {
    return listAnswer({ data: this.toolBox.definitions(), hasMore: false }, ({ name }) => name);
  }

  @Get(':id')
  @Access('agents:read')
  @ApiOperation({ summary: 'Read an agent.' })
  @Answers(200, agentSchema, 'The agent; its ETag is for If-Match.')
  @Problems('not_found')
  async get(@Param('id', IdPipe) id: string, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    return shown(await this.agents.get(principal, id), reply);
  }

  @Patch(':id')
  @Access('agents:write', 'editor')
  @ApiOperation({ summary: 'Change an agent; its runs so far keep the agent as it was.' })
  @ApiHeader(IF_MATCH)
  @Answers(200, agentSchema, 'The changed agent.')
  @Problems('not_found', 'conflict', 'precondition_failed')
  async change(
    @Param('id', IdPipe) id: string,
    @Body({ schema: changeAgentBody }) body: ChangeAgentBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return shown(await this.agents.change(principal, id, agentInput(body), acceptedVersions(ifMatch)), reply);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('agents:write', 'editor')
  @ApiOperation({ summary: 'Delete an agent; its open runs are cancelled, finished ones stay.' })
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

function shown(agent: Agent, reply: FastifyReply) {
  void reply.header('ETag', entityTag(agent.version));
  return agentView(agent);
}
