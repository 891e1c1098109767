import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ChatSessions, type ChatSession } from '@features/chat';
import type { Principal } from '@kernel/identity';
import { listAnswer, type PageQuery } from '@kernel/paging';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { pageQuery } from '../http/page.schema';
import {
  changeSessionBody,
  createSessionBody,
  sessionFields,
  sessionListSchema,
  sessionSchema,
  sessionView,
  type ChangeSessionBody,
  type CreateSessionBody,
} from './chat.schema';
import { acceptedVersions, entityTag, IF_MATCH } from '../http/entity-tag';

/** Conversations, private to their maker unless shared with the workspace. */
@ApiTags('chat')
@Controller('api/v1/chat/sessions')
export class ChatSessionsController {
  constructor(private readonly sessions: ChatSessions) {}

  @Post()
  @HttpCode(201)
  @Access('chat', 'viewer', { creates: 'answer' })
  @ApiOperation({ summary: 'Begin a conversation, over the documents of collections or without any.' })
  @Answers(201, sessionSchema, 'The session.')
  @Problems('not_found')
  async create(
    @Body({ schema: createSessionBody }) body: CreateSessionBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const session = await this.sessions.create(principal, sessionFields(body));
    void reply.header('Location', `/api/v1/chat/sessions/${session.id}`);
    return shown(session, reply);
  }

  @Get()
  @Access('chat')
  @ApiOperation({ summary: 'List your conversations and those shared with the workspace.' })
  @Answers(200, sessionListSchema, 'A page of sessions.')
  async list(@Query({ schema: pageQuery }) query: PageQuery, @Caller() principal: Principal) {
    const page = await this.sessions.list(principal, query);
    return listAnswer({ data: page.data.map(sessionView), hasMore: page.hasMore }, (session) => session.id);
  }

  @Get(':id')
  @Access('chat')
  @ApiOperation({ summary: 'Read a conversation.' })
  @Answers(200, sessionSchema, 'The session; its ETag is for If-Match.')
  @Problems('not_found')
  async get(@Param('id', IdPipe) id: string, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    return shown(await this.sessions.get(principal, id), reply);
  }

  @Patch(':id')
  @Access('chat')
  @ApiOperation({ summary: 'Change a conversation; null clears a member.' })
  @ApiHeader(IF_MATCH)
  @Answers(200, sessionSchema, 'The changed session.')
  @Problems('not_found', 'precondition_failed')
  async change(
    @Param('id', IdPipe) id: string,
    @Body({ schema: changeSessionBody }) body: ChangeSessionBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return shown(await this.sessions.change(principal, id, sessionFields(body), acceptedVersions(ifMatch)), reply);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('chat')
  @ApiOperation({ summary: 'Delete a conversation with its messages; an answer that is being written stops.' })
  @ApiHeader(IF_MATCH)
  @Answers(204, undefined, 'Deleted.')
  @Problems('not_found', 'precondition_failed')
  async delete(
    @Param('id', IdPipe) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
  ): Promise<void> {
    await this.sessions.delete(principal, id, acceptedVersions(ifMatch));
  }
}

function shown(session: ChatSession, reply: FastifyReply) {
  void reply.header('ETag', entityTag(session.version));
  return sessionView(session);
}
