import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { ChatMessages, messageView } from '@features/chat';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import {
  changeMessageBody,
  feedbackBody,
  feedbackOf,
  listMessagesQuery,
  messageListSchema,
  messageSchema,
  type ChangeMessageBody,
  type FeedbackBody,
  type ListMessagesQuery,
} from './chat.schema';

/** The messages of a conversation, with all its branches. */
@ApiTags('chat')
@Controller('api/v1/chat/sessions/:id/messages')
export class ChatMessagesController {
  constructor(private readonly messages: ChatMessages) {}

  @Get()
  @Access('chat')
  @ApiOperation({ summary: 'List the messages of a conversation, oldest first; `active` ones are the branch from which it goes on.' })
  @Answers(200, messageListSchema, 'A page of messages.')
  @Problems('not_found')
  async list(
    @Param('id', IdPipe) id: string,
    @Query({ schema: listMessagesQuery }) query: ListMessagesQuery,
    @Caller() principal: Principal,
  ) {
    const page = await this.messages.list(principal, id, query);
    return listAnswer({ data: page.data.map(messageView), hasMore: page.hasMore }, (message) => message.id);
  }

  @Get(':message')
  @Access('chat')
  @ApiOperation({ summary: 'Read a message.' })
  @Answers(200, messageSchema, 'The message.')
  @Problems('not_found')
  async get(@Param('id', IdPipe) id: string, @Param('message', IdPipe) message: string, @Caller() principal: Principal) {
    return messageView(await this.messages.get(principal, id, message));
  }

  @Patch(':message')
  @Access('chat')
  @ApiOperation({
    summary: 'Go on from the branch through this message: it and what led to it become active, and the newest of what follows it.',
  })
  @Answers(200, messageSchema, 'The message.')
  @Problems('not_found', 'conflict')
  async change(
    @Param('id', IdPipe) id: string,
    @Param('message', IdPipe) message: string,
    @Body({ schema: changeMessageBody }) _: ChangeMessageBody,
    @Caller() principal: Principal,
  ) {
    return messageView(await this.messages.activate(principal, id, message));
  }

  @Post(':message/feedback')
  @HttpCode(200)
  @Access('chat')
  @ApiOperation({ summary: 'Rate an answer, in the place of an earlier rating.' })
  @Answers(200, messageSchema, 'The rated answer.')
  @Problems('not_found', 'unprocessable')
  async rate(
    @Param('id', IdPipe) id: string,
    @Param('message', IdPipe) message: string,
    @Body({ schema: feedbackBody }) body: FeedbackBody,
    @Caller() principal: Principal,
  ) {
    return messageView(await this.messages.rate(principal, id, message, feedbackOf(body)));
  }

  @Delete(':message/feedback')
  @HttpCode(204)
  @Access('chat')
  @ApiOperation({ summary: 'Take the rating of an answer back.' })
  @Answers(204, undefined, 'There is no rating any more.')
  @Problems('not_found', 'unprocessable')
  async unrate(@Param('id', IdPipe) id: string, @Param('message', IdPipe) message: string, @Caller() principal: Principal): Promise<void> {
    await this.messages.rate(principal, id, message, null);
  }
}
