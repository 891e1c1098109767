import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Collections, parseFilter, UserPoints, type Collection } from '@features/vectors';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import {
  countSchema,
  deletedSchema,
  foundPointsSchema,
  getPointsBody,
  pointListSchema,
  pointView,
  scrollPointsBody,
  selectPointsBody,
  type GetPointsBody,
  type ScrollPointsBody,
  type SelectPointsBody,
} from './points.schema';

/** Points of a collection by ids or by a filter. */
@ApiTags('vectors')
@Controller('api/v1/vectors/collections/:name/points')
export class PointQueriesController {
  constructor(
    private readonly collections: Collections,
    private readonly points: UserPoints,
  ) {}

  @Post('get')
  @HttpCode(200)
  @Access('vectors:read')
  @ApiOperation({ summary: 'Read points by their ids.' })
  @Answers(200, foundPointsSchema, 'Those that are there, in the order of the ids.')
  @Problems('not_found')
  async get(@Param('name') name: string, @Body({ schema: getPointsBody }) { ids }: GetPointsBody, @Caller() principal: Principal) {
    const found = await this.points.byIds(await this.collection(principal, name), ids);
    return { object: 'list', data: found.map(pointView) };
  }

  @Post('scroll')
  @HttpCode(200)
  @Access('vectors:read')
  @ApiOperation({ summary: 'Walk over the points that fit a filter, in the byte order of their ids.' })
  @Answers(200, pointListSchema, 'A page; go on after its last_id.')
  @Problems('not_found')
  async scroll(@Param('name') name: string, @Body({ schema: scrollPointsBody }) body: ScrollPointsBody, @Caller() principal: Principal) {
    const { limit, after } = body;
    const page = await this.points.page(await this.collection(principal, name), selectionOf(body), { limit, after, order: 'asc' });
    return listAnswer({ data: page.data.map(pointView), hasMore: page.hasMore }, (point) => point.id);
  }

  @Post('count')
  @HttpCode(200)
  @Access('vectors:read')
  @ApiOperation({ summary: 'Count the points that fit a filter; {} counts all.' })
  @Answers(200, countSchema, 'How many.')
  @Problems('not_found')
  async count(@Param('name') name: string, @Body({ schema: selectPointsBody }) body: SelectPointsBody, @Caller() principal: Principal) {
    return { count: await this.points.count(await this.collection(principal, name), selectionOf(body)) };
  }

  @Post('delete')
  @HttpCode(200)
  @Access('vectors:write', 'editor')
  @ApiOperation({ summary: 'Delete your points by ids or by a filter; chunks of documents stay.' })
  @Answers(200, deletedSchema, 'How many were deleted.')
  @Problems('not_found')
  async delete(@Param('name') name: string, @Body({ schema: selectPointsBody }) body: SelectPointsBody, @Caller() principal: Principal) {
    const empty = body.filter !== undefined && Object.keys((body.filter ?? {}) as object).length === 0;
    if (empty || (body.filter === undefined && body.ids === undefined))
      throw AppError.field('unprocessable', 'filter', 'must not be empty: delete the collection to delete all of its points.');
    return { deleted: await this.points.deleteAll(await this.collection(principal, name), selectionOf(body)) };
  }

  private collection({ workspaceId }: Principal, name: string): Promise<Collection> {
    return this.collections.named(workspaceId, name);
  }
}

function selectionOf({ filter, ids }: SelectPointsBody) {
  return { ids, filter: filter === undefined ? undefined : parseFilter(filter) };
}
