import { Module } from '@nestjs/common';
import { LlamaCppModule, LlamaCppRuntime } from '@backing/llama-cpp';
import { PostgresModule } from '@backing/postgres';
import { ModelRuntimes } from './model-runtimes';
import { Models } from './models.service';
import { UsageRepository } from './usage.repository';

/** Models: routing to runtimes and accounting of their use. */
@Module({
  imports: [LlamaCppModule, PostgresModule],
  providers: [
    {
      provide: ModelRuntimes,
      inject: [LlamaCppRuntime],
      useFactory: (builtIn: LlamaCppRuntime): ModelRuntimes => ({ all: [builtIn] }),
    },
    UsageRepository,
    Models,
  ],
  exports: [Models],
})
export class ModelsModule {}
