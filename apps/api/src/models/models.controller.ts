import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Models } from '@features/models';
import { listAnswer, type PageQuery } from '@kernel/paging';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { modelListSchema, modelStatusSchema, modelStatusView, modelsQuery, modelView } from './models.schema';

/** The models of this instance, as their runtimes report them. */
@ApiTags('models')
@Controller('api/v1/models')
export class ModelsController {
  constructor(private readonly models: Models) {}

  @Get()
  @Access(['models:read', 'chat'])
  @ApiOperation({ summary: 'List the models with their true state.' })
  @Answers(200, modelListSchema, 'A page of models, by name.')
  async list(@Query({ schema: modelsQuery }) query: PageQuery) {
    const page = await this.models.page(query);
    return listAnswer({ data: page.data.map(modelView), hasMore: page.hasMore }, (model) => model.id);
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
