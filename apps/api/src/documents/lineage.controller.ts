import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Lineage } from '@features/lineage';
import type { Principal } from '@kernel/identity';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { lineageQuery, lineageSchema, lineageView, type LineageQueryParameters } from './lineage.schema';

/** What documents led to. */
@ApiTags('documents')
@Controller('api/v1/documents')
export class LineageController {
  constructor(private readonly lineage: Lineage) {}

  @Get(':id/lineage')
  @Access('documents:read')
  @ApiOperation({ summary: 'Follow a document to its chunks and to the answers that cited them, as far as the caller may see those.' })
  @Answers(
    200,
    lineageSchema,
    'A page of chunks: those that searches see in the order of the text, then earlier ones that answers still cite.',
  )
  @Problems('not_found')
  async follow(
    @Param('id', IdPipe) id: string,
    @Query({ schema: lineageQuery }) query: LineageQueryParameters,
    @Caller() principal: Principal,
  ) {
    return lineageView(await this.lineage.of(principal, id, query));
  }
}
