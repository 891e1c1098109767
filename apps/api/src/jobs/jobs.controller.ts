import { Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { Jobs } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { lastSeen } from './event-stream';
import { JobStream } from './job-stream.service';
import { jobEventsQuery, jobListSchema, jobSchema, jobView, listJobsQuery, type JobEventsQuery, type ListJobsQuery } from './jobs.schema';

/** Long work: its state, its events, its end. */
@ApiTags('jobs')
@Controller('api/v1/jobs')
export class JobsController {
  constructor(
    private readonly jobs: Jobs,
    private readonly stream: JobStream,
  ) {}

  @Get()
  @Access('jobs:read')
  @ApiOperation({ summary: 'List your jobs and those shared with the workspace.' })
  @Answers(200, jobListSchema, 'A page of jobs.')
  async list(@Query({ schema: listJobsQuery }) query: ListJobsQuery, @Caller() principal: Principal) {
    const { kind, status, ...page } = query;
    const found = await this.jobs.list(principal, { kind, status }, page);
    return listAnswer({ data: found.data.map((job) => jobView(job)), hasMore: found.hasMore }, (job) => job.id);
  }

  @Get(':id')
  @Access('jobs:read')
  @ApiOperation({ summary: 'Read a job; one that waits with its place in the queue.' })
  @Answers(200, jobSchema, 'The job.')
  @Problems('not_found')
  async get(@Param('id', IdPipe) id: string, @Caller() principal: Principal) {
    const job = await this.jobs.get(principal, id);
    return jobView(job, await this.jobs.queuePosition(job));
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Access('jobs:write')
  @ApiOperation({ summary: 'Cancel a job; repeating it changes nothing.' })
  @Answers(200, jobSchema, 'The cancelled job.')
  @Problems('not_found', 'conflict')
  async cancel(@Param('id', IdPipe) id: string, @Caller() principal: Principal) {
    return jobView(await this.jobs.cancel(principal, id));
  }

  @Post(':id/retry')
  @HttpCode(202)
  @Access('jobs:write', 'viewer', { spends: true })
  @ApiOperation({ summary: 'Do the work of a failed or cancelled job again, as a new job.' })
  @Answers(202, jobSchema, 'The new job.')
  @Problems('not_found', 'conflict')
  async retry(
    @Param('id', IdPipe) id: string,
    @Caller() principal: Principal,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const job = await this.jobs.retry(principal, id, request.id);
    void reply.header('Location', `/api/v1/jobs/${job.id}`);
    return jobView(job);
  }

  @Get(':id/events')
  @Access('jobs:read')
  @ApiOperation({ summary: "Stream a job's events (SSE), from the first or after the last one seen." })
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'The id of the last event that was seen.' })
  @ApiProduces('text/event-stream')
  @Answers(200, undefined, 'Events with ids 1, 2, 3 …; the last is done, error or cancelled.')
  @Answers(204, undefined, 'The last event was seen already.')
  @Problems('not_found', 'gone')
  async events(
    @Param('id', IdPipe) id: string,
    @Query({ schema: jobEventsQuery }) query: JobEventsQuery,
    @Caller() principal: Principal,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const after = lastSeen(request.headers['last-event-id'], query.after);
    await this.jobs.get(principal, id);
    await this.stream.send(request, reply, id, after);
  }
}
