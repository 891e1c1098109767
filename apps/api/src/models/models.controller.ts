import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audit } from '@features/audit';
import { Jobs } from '@features/jobs';
import { ModelPulls, ModelRemoval, Models } from '@features/models';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { listAnswer, type PageQuery } from '@kernel/paging';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { jobView } from '../jobs/jobs.schema';
import {
  modelListSchema,
  modelStatusSchema,
  modelStatusView,
  modelsQuery,
  modelView,
  pullBody,
  pullSchema,
  type PullBody,
} from './models.schema';

/** The models of this instance, as their runtimes report them. */
@ApiTags('models')
@Controller('api/v1/models')
export class ModelsController {
  constructor(
    private readonly models: Models,
    private readonly pulls: ModelPulls,
    private readonly removal: ModelRemoval,
    private readonly jobs: Jobs,
    private readonly audit: Audit,
  ) {}

  @Get()
  @Access(['models:read', 'chat'])
  @ApiOperation({ summary: 'List the models with their true state.' })
  @Answers(200, modelListSchema, 'A page of models, by name.')
  async list(@Query({ schema: modelsQuery }) query: PageQuery) {
    const page = await this.models.page(query);
    return listAnswer({ data: page.data.map(modelView), hasMore: page.hasMore }, (model) => model.id);
  }

  @Post()
  @HttpCode(202)
  @Access('models:write', 'viewer', { creates: 'answer' })
  @ApiOperation({ summary: 'Bring a model here, as a job with progress in bytes; for an instance admin.' })
  @Answers(202, pullSchema, 'The model with its licence, and the job.')
  @Problems('conflict', 'unprocessable')
  async pull(
    @Body({ schema: pullBody }) body: PullBody,
    @Caller() principal: Principal,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    assertInstanceAdmin(principal);
    if (!body.accept_license)
      throw AppError.field('unprocessable', 'accept_license', 'a model comes with its licence, which must be accepted');
    const { jobId, target } = await this.pulls.pull(body, { principal, requestId: request.id });
    void reply.header('Location', `/api/v1/jobs/${jobId}`);
    const { model: id, name, runtime, license, bytes } = target;
    return { model: { id, name, runtime, license, size_bytes: bytes }, job: jobView(await this.jobs.get(principal, jobId)) };
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('models:write')
  @ApiOperation({ summary: 'Take a model away from its runtime; for an instance admin. Not while a default or a collection needs it.' })
  @Answers(204, undefined, 'It is gone.')
  @Problems('not_found', 'conflict')
  async remove(@Param('id') id: string, @Caller() principal: Principal): Promise<void> {
    assertInstanceAdmin(principal);
    await this.removal.remove(id);
    await this.audit.add(undefined, { workspaceId: null, actor: principal, action: 'model.deleted', subject: { kind: 'model', id } });
  }

  @Get(':id')
  @Access(['models:read', 'chat'])
  @ApiOperation({ summary: 'A model and what it does at the moment.' })
  @Answers(200, modelStatusSchema, 'The model.')
  @Problems('not_found')
  async get(@Param('id') id: string) {
    return modelStatusView(await this.models.status(id));
  }
}

function assertInstanceAdmin(principal: Principal): void {
  if (!principal.instanceAdmin) throw new AppError('forbidden', 'Models are brought and taken away by an instance admin.');
}
