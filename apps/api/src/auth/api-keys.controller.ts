import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiKeys } from '@features/auth';
import { Budgets } from '@features/usage';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import {
  apiKeyListSchema,
  apiKeysQuery,
  apiKeyView,
  createApiKeyBody,
  createdApiKeySchema,
  type ApiKeysQuery,
  type CreateApiKeyBody,
} from './api-keys.schema';

/** The caller's own API keys in the workspace of the token, and the workspace's. */
@ApiTags('auth')
@Controller('api/v1/auth/keys')
export class ApiKeysController {
  constructor(
    private readonly keys: ApiKeys,
    private readonly budgets: Budgets,
  ) {}

  @Post()
  @HttpCode(201)
  @Access('any', 'viewer', { persons: true, creates: 'secret' })
  @ApiOperation({ summary: 'Make an API key with some of your scopes; its secret is shown once.' })
  @Answers(201, createdApiKeySchema, 'The key with its secret.')
  async create(
    @Body({ schema: createApiKeyBody }) body: CreateApiKeyBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { key, secret } = await this.keys.create(principal, {
      owner: body.owner ?? 'me',
      name: body.name,
      scopes: body.scopes,
      expiresAt: body.expires_at === undefined ? null : new Date(body.expires_at),
      requestsPerMinute: body.limits?.requests_per_minute ?? null,
      tokensPerDay: body.limits?.tokens_per_day ?? null,
    });
    void reply.header('Location', `/api/v1/auth/keys/${key.id}`);
    return { ...apiKeyView(key, undefined), secret };
  }

  @Get()
  @Access('any', 'viewer', { persons: true })
  @ApiOperation({ summary: 'List your API keys, or those of the workspace for its admins, without their secrets.' })
  @Answers(200, apiKeyListSchema, 'A page of keys.')
  async list(@Query({ schema: apiKeysQuery }) query: ApiKeysQuery, @Caller() principal: Principal) {
    const { owner, ...wanted } = query;
    const page = await this.keys.list(principal, owner, wanted);
    const budgets = await this.budgets.states(page.data.filter(({ tokensPerDay }) => tokensPerDay !== null).map(({ id }) => id));
    return listAnswer({ data: page.data.map((key) => apiKeyView(key, budgets.get(key.id))), hasMore: page.hasMore }, (key) => key.id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('any', 'viewer', { persons: true })
  @ApiOperation({ summary: 'Delete an API key: it is refused from now on.' })
  @Answers(204, undefined, 'Deleted.')
  @Problems('not_found')
  async delete(@Param('id', IdPipe) id: string, @Caller() principal: Principal): Promise<void> {
    await this.keys.revoke(principal, id);
  }
}
