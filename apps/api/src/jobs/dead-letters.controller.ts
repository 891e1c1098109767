import { Body, Controller, Get, HttpCode, Post, Query, Req } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audit } from '@features/audit';
import { DeadLetters } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import type { FastifyRequest } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import {
  deadLetterListSchema,
  jobView,
  listDeadLettersQuery,
  redriveBody,
  redriveSchema,
  type ListDeadLettersQuery,
  type RedriveBody,
} from './jobs.schema';

const AT_ONCE = 100;

/** Failed jobs of the whole instance that wait for somebody to mend their cause. */
@ApiTags('jobs')
@Controller('api/v1/jobs/dead-letters')
export class DeadLettersController {
  constructor(
    private readonly deadLetters: DeadLetters,
    private readonly audit: Audit,
  ) {}

  @Get()
  @Access('jobs:read', 'viewer', { instance: true })
  @ApiOperation({ summary: 'List the failed jobs of all workspaces that the platform could not do; for an instance admin.' })
  @Answers(200, deadLetterListSchema, 'A page of dead letters.')
  async list(@Query({ schema: listDeadLettersQuery }) query: ListDeadLettersQuery) {
    const { kind, ...page } = query;
    const found = await this.deadLetters.page(kind, page);
    const data = found.data.map((job) => ({ ...jobView(job), workspace_id: job.workspaceId, owner_id: job.ownerId }));
    return listAnswer({ data, hasMore: found.hasMore }, (job) => job.id);
  }

  @Post('redrive')
  @HttpCode(202)
  @Access('jobs:write', 'viewer', { instance: true, creates: 'answer' })
  @ApiOperation({ summary: "Do the work of dead letters again, as new jobs in their makers' names; for an instance admin." })
  @Answers(202, redriveSchema, 'For each dead letter its new job, or why there is none.')
  async redrive(@Body({ schema: redriveBody }) body: RedriveBody, @Caller() actor: Principal, @Req() request: FastifyRequest) {
    const { ids, hasMore } = body.ids === undefined ? await this.oldest(body) : { ids: body.ids, hasMore: false };
    const outcomes = await this.deadLetters.redrive(ids, request.id);
    for (const { id, jobId } of outcomes) {
      if (jobId === undefined) continue;
      await this.audit.add(undefined, { workspaceId: null, actor, action: 'job.redriven', subject: { kind: 'job', id } });
    }
    const data = outcomes.map(({ id, jobId = null, error }) => ({
      id,
      job_id: jobId,
      error: error === undefined ? null : { code: error.code, message: error.message },
    }));
    return { data, has_more: hasMore };
  }

  private async oldest({ kind, after }: RedriveBody): Promise<{ ids: string[]; hasMore: boolean }> {
    const { data, hasMore } = await this.deadLetters.page(kind, { limit: AT_ONCE, order: 'asc', after });
    return { ids: data.map((job) => job.id), hasMore };
  }
}
