import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AgentRuns, runView } from '@features/agents';
import { Jobs } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import { listAnswer, type PageQuery } from '@kernel/paging';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { pageQuery } from '../http/page.schema';
import { jobView } from '../jobs/jobs.schema';
import { acceptedRunSchema, runListSchema, runWithSteps, runWithStepsSchema, startRunBody, type StartRunBody } from './agents.schema';

/** Runs of agents: accepted as jobs, kept with every step. */
@ApiTags('agents')
@Controller('api/v1/agents')
export class AgentRunsController {
  constructor(
    private readonly runs: AgentRuns,
    private readonly jobs: Jobs,
  ) {}

  @Post(':id/runs')
  @HttpCode(202)
  @Access('agents:run', 'viewer', { spends: true, creates: 'answer' })
  @ApiOperation({ summary: 'Run an agent: a job, whose events tell every step.' })
  @Answers(202, acceptedRunSchema, 'Accepted; `Location` is the job.')
  @Problems('not_found', 'unavailable')
  async start(
    @Param('id', IdPipe) id: string,
    @Body({ schema: startRunBody }) body: StartRunBody,
    @Caller() principal: Principal,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { input, session_id: sessionId, context, visibility } = body;
    const run = await this.runs.start(principal, id, { input, sessionId, context, visibility }, request.id);
    void reply.header('Location', `/api/v1/jobs/${run.jobId}`);
    return { run: runView(run), job: jobView(await this.jobs.get(principal, run.jobId)) };
  }

  @Get(':id/runs')
  @Access(['agents:read', 'agents:run'])
  @ApiOperation({ summary: 'List the runs of an agent: yours and those shared with the workspace.' })
  @Answers(200, runListSchema, 'A page of runs.')
  @Problems('not_found')
  async list(@Param('id', IdPipe) id: string, @Query({ schema: pageQuery }) query: PageQuery, @Caller() principal: Principal) {
    const page = await this.runs.list(principal, id, query);
    return listAnswer({ data: page.data.map(runView), hasMore: page.hasMore }, (run) => run.id);
  }

  @Get('runs/:run')
  @Access(['agents:read', 'agents:run'])
  @ApiOperation({ summary: 'Read a run with all its steps.' })
  @Answers(200, runWithStepsSchema, 'The run.')
  @Problems('not_found')
  async get(@Param('run', IdPipe) run: string, @Caller() principal: Principal) {
    return runWithSteps(await this.runs.get(principal, run), await this.runs.steps(principal, run));
  }
}
