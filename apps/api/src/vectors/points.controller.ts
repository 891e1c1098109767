import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Put, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Collections, UserPoints, type Collection, type Point } from '@features/vectors';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { acceptedVersions, entityTag, IF_MATCH } from '../http/entity-tag';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { PointRequests } from './point-requests.service';
import {
  acceptedPointsSchema,
  changePointBody,
  listPointsQuery,
  pointListSchema,
  pointSchema,
  pointView,
  PUT_CONTENT,
  upsertedSchema,
  type ChangePointBody,
  type ListPointsQuery,
} from './points.schema';

const MEBIBYTE = 1_048_576;
const PUT_POINTS = { jsonBytes: 32 * MEBIBYTE, binaryBytes: 64 * MEBIBYTE, packs: true };

/** The points of a collection. */
@ApiTags('vectors')
@Controller('api/v1/vectors/collections/:name/points')
export class PointsController {
  constructor(
    private readonly collections: Collections,
    private readonly points: UserPoints,
    private readonly requests: PointRequests,
  ) {}

  @Put()
  @HttpCode(200)
  @Access('vectors:write', 'editor', PUT_POINTS)
  @ApiOperation({ summary: 'Write points, each replaced whole; all of them or none. They are searchable when this answers.' })
  @ApiConsumes('application/json', 'application/octet-stream')
  @ApiBody(PUT_CONTENT)
  @ApiHeader({ name: 'Prefer', required: false, description: 'respond-async: texts are embedded by a job, up to 1000 of them.' })
  @Answers(200, upsertedSchema, 'The ids, in the order of the points.')
  @Answers(202, acceptedPointsSchema, 'The job that embeds the texts and writes the points; its result has the ids.')
  @Problems('not_found', 'conflict')
  async put(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.requests.put(await this.collection(principal, name), request, principal, reply);
  }

  @Get()
  @Access('vectors:read')
  @ApiOperation({ summary: 'List points by id.' })
  @Answers(200, pointListSchema, 'A page of points.')
  @Problems('not_found')
  async list(@Param('name') name: string, @Query({ schema: listPointsQuery }) query: ListPointsQuery, @Caller() principal: Principal) {
    const page = await this.points.page(await this.collection(principal, name), {}, query);
    return listAnswer({ data: page.data.map(pointView), hasMore: page.hasMore }, (point) => point.id);
  }

  @Get(':id')
  @Access('vectors:read')
  @ApiOperation({ summary: 'Read a point.' })
  @Answers(200, pointSchema, 'The point; its ETag is for If-Match.')
  @Problems('not_found')
  async get(
    @Param('name') name: string,
    @Param('id') id: string,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return shown(await this.points.get(await this.collection(principal, name), id), reply);
  }

  @Patch(':id')
  @Access('vectors:write', 'editor')
  @ApiOperation({ summary: 'Merge metadata into that of a point.' })
  @ApiHeader(IF_MATCH)
  @Answers(200, pointSchema, 'The changed point.')
  @Problems('not_found', 'conflict', 'precondition_failed')
  async change(
    @Param('name') name: string,
    @Param('id') id: string,
    @Body({ schema: changePointBody }) body: ChangePointBody,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const collection = await this.collection(principal, name);
    return shown(await this.points.merge(collection, id, body.metadata, acceptedVersions(reply.request.headers['if-match'])), reply);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('vectors:write', 'editor')
  @ApiOperation({ summary: 'Delete a point.' })
  @ApiHeader(IF_MATCH)
  @Answers(204, undefined, 'Deleted.')
  @Problems('not_found', 'conflict', 'precondition_failed')
  async delete(
    @Param('name') name: string,
    @Param('id') id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
  ): Promise<void> {
    await this.points.delete(await this.collection(principal, name), id, acceptedVersions(ifMatch));
  }

  private async collection({ workspaceId }: Principal, name: string): Promise<Collection> {
    return this.collections.named(workspaceId, name);
  }
}

function shown(point: Point, reply: FastifyReply) {
  void reply.header('ETag', entityTag(point.revision));
  return pointView(point);
}
