import { Module } from '@nestjs/common';
import { ModelsModule } from '@features/models';
import { ModelsController } from './models.controller';

/** The HTTP edge of models. */
@Module({ imports: [ModelsModule], controllers: [ModelsController] })
export class ModelsApiModule {}
