import { Body, Controller, Get, HttpCode, Param, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Collections, parseFilter, PointSearch, Search } from '@features/vectors';
import type { Principal } from '@kernel/identity';
import type { FastifyReply } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { closedSignal } from './closed-signal';
import { storeListSchema } from './collections.schema';
import { foundView, searchAnswerSchema, searchPointsBody, type IncludedPart, type SearchPointsBody } from './points.schema';
import { passagesSchema, passageView, searchPassagesBody, type SearchPassagesBody } from './search.schema';
import { StoreList } from './store-list.service';

/** Search by vector, by words or by both. */
@ApiTags('vectors')
@Controller('api/v1')
export class SearchController {
  constructor(
    private readonly collections: Collections,
    private readonly points: PointSearch,
    private readonly passages: Search,
    private readonly stores: StoreList,
  ) {}

  @Get('vectors/stores')
  @Access('vectors:read')
  @ApiOperation({ summary: 'List the stores in which vectors can lie.' })
  @Answers(200, storeListSchema, 'Every store that the platform knows, connected or not.')
  async list() {
    return { object: 'list', data: await this.stores.all() };
  }

  @Post('vectors/collections/:name/search')
  @HttpCode(200)
  @Access('vectors:read')
  @ApiOperation({ summary: 'Find the points of a collection that are nearest to a vector or a text.' })
  @Answers(200, searchAnswerSchema, 'The results, best first; ties by id.')
  @Problems('not_found')
  async searchPoints(
    @Param('name') name: string,
    @Body({ schema: searchPointsBody }) body: SearchPointsBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const started = performance.now();
    const collection = await this.collections.named(principal.workspaceId, name);
    const { vector, text, mode, exact, limit, min_score: minScore } = body;
    const filter = parseFilter(body.filter ?? {});
    const question = { vector: vector as number[] | string | undefined, text, mode, exact, limit, filter, minScore };
    const answer = await this.points.search(collection, question, accountOf(principal), closedSignal(reply));
    const parts = new Set<IncludedPart>(body.include ?? ['metadata', 'text']);
    const data = answer.found.map((found) => foundView(found, parts, answer.mode === 'hybrid'));
    return { data, took_ms: elapsed(started), mode: answer.mode };
  }

  @Post('search')
  @HttpCode(200)
  @Access(['vectors:read', 'documents:read'])
  @ApiOperation({ summary: 'Find passages of documents over several collections; no model works but the embedding.' })
  @Answers(200, passagesSchema, 'The passages, best first.')
  @Problems('not_found')
  async searchPassages(
    @Body({ schema: searchPassagesBody }) { query, collections: names, limit }: SearchPassagesBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const started = performance.now();
    const collections = await this.collections.resolve(principal.workspaceId, names);
    const nameOf = new Map(collections.map((collection) => [collection.id, collection.name]));
    const account = accountOf(principal);
    const found = await this.passages.search({ collections, query, limit, signal: closedSignal(reply), account });
    return { data: found.map((passage) => passageView(passage, nameOf.get(passage.collectionId) ?? '')), took_ms: elapsed(started) };
  }
}

function accountOf({ workspaceId, userId, keyId }: Principal) {
  return { workspaceId, userId, apiKeyId: keyId ?? null, jobId: null };
}

function elapsed(started: number): number {
  return Math.round((performance.now() - started) * 1000) / 1000;
}
