import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CollectionRemoval } from '@features/documents';
import { CollectionCatalogue, type CountedCollection } from '@features/vectors';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import type { FastifyReply } from 'fastify';
import { acceptedVersions, entityTag, IF_MATCH } from '../http/entity-tag';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import {
  changeCollectionBody,
  collectionListSchema,
  collectionSchema,
  collectionView,
  createCollectionBody,
  listCollectionsQuery,
  type ChangeCollectionBody,
  type CreateCollectionBody,
  type ListCollectionsQuery,
} from './collections.schema';

/** Collections: named sets of points, of documents or of users. */
@ApiTags('vectors')
@Controller('api/v1/vectors/collections')
export class CollectionsController {
  constructor(
    private readonly catalogue: CollectionCatalogue,
    private readonly removal: CollectionRemoval,
  ) {}

  @Post()
  @HttpCode(201)
  @Access('vectors:write', 'editor', { creates: 'answer' })
  @ApiOperation({ summary: 'Make a collection for documents and texts, or for vectors that you bring.' })
  @Answers(201, collectionSchema, 'The collection.')
  @Problems('conflict')
  async create(
    @Body({ schema: createCollectionBody }) body: CreateCollectionBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const collection = await this.catalogue.create(principal, body);
    void reply.header('Location', `/api/v1/vectors/collections/${collection.name}`);
    return shown(collection, reply);
  }

  @Get()
  @Access('vectors:read')
  @ApiOperation({ summary: 'List the collections of the workspace by name.' })
  @Answers(200, collectionListSchema, 'A page of collections.')
  async list(@Query({ schema: listCollectionsQuery }) query: ListCollectionsQuery, @Caller() principal: Principal) {
    const page = await this.catalogue.page(principal.workspaceId, query);
    return listAnswer({ data: page.data.map(collectionView), hasMore: page.hasMore }, (collection) => collection.name);
  }

  @Get(':name')
  @Access('vectors:read')
  @ApiOperation({ summary: 'Read a collection: what it holds, and how much.' })
  @Answers(200, collectionSchema, 'The collection; its ETag is for If-Match.')
  @Problems('not_found')
  async get(@Param('name') name: string, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    return shown(await this.catalogue.get(principal.workspaceId, name), reply);
  }

  @Patch(':name')
  @Access('vectors:write', 'editor')
  @ApiOperation({ summary: 'Change the description or the language of texts that come from now on; null clears a member.' })
  @ApiHeader(IF_MATCH)
  @Answers(200, collectionSchema, 'The changed collection.')
  @Problems('not_found', 'precondition_failed')
  async change(
    @Param('name') name: string,
    @Body({ schema: changeCollectionBody }) body: ChangeCollectionBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return shown(await this.catalogue.change(principal.workspaceId, name, body, acceptedVersions(ifMatch)), reply);
  }

  @Delete(':name')
  @HttpCode(204)
  @Access('vectors:write', 'editor')
  @ApiOperation({ summary: 'Delete a collection with its documents and points; their jobs are cancelled. The collection default stays.' })
  @ApiHeader(IF_MATCH)
  @Answers(204, undefined, 'Deleted.')
  @Problems('not_found', 'conflict', 'precondition_failed')
  async delete(
    @Param('name') name: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
  ): Promise<void> {
    await this.removal.remove(principal, name, acceptedVersions(ifMatch));
  }
}

function shown(collection: CountedCollection, reply: FastifyReply) {
  void reply.header('ETag', entityTag(collection.revision));
  return collectionView(collection);
}
