import { Controller, Get, Param } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { ServedModels, type ServedModel } from './served-models.service';

const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int().meta({ description: 'When this server started to serve it (Unix seconds).' }),
    owned_by: z.string().meta({ description: 'The runtime.' }),
    alias_of: z.string().optional().meta({ description: 'The model that an alias stands for.' }),
  })
  .meta({ id: 'OpenAiModel' });
const modelsSchema = z.object({ object: z.literal('list'), data: z.array(modelSchema) }).meta({ id: 'OpenAiModelList' });

/** The models in OpenAI's form: those that can be used now, and their aliases. */
@ApiTags('openai')
@Controller('v1/models')
export class OpenAiModelsController {
  private readonly started = Math.floor(Date.now() / 1000);

  constructor(private readonly models: ServedModels) {}

  @Get()
  @Access(['models:read', 'chat'])
  @ApiOperation({ summary: 'List the models that are ready.' })
  @Answers(200, modelsSchema, 'All of them, by id.')
  async list(): Promise<z.infer<typeof modelsSchema>> {
    return { object: 'list', data: (await this.models.list()).map((model) => this.view(model)) };
  }

  @Get(':id')
  @Access(['models:read', 'chat'])
  @ApiOperation({ summary: 'A model that is ready.' })
  @Answers(200, modelSchema, 'The model.')
  @Problems('not_found')
  async get(@Param('id') id: string): Promise<z.infer<typeof modelSchema>> {
    return this.view(await this.models.get(id));
  }

  private view({ name, card }: ServedModel): z.infer<typeof modelSchema> {
    const alias = name === card.id ? {} : { alias_of: card.id };
    return { id: name, object: 'model', created: this.started, owned_by: card.runtime, ...alias };
  }
}
