import { Module } from '@nestjs/common';
import { LlamaCppModule, LlamaCppRuntime } from '@backing/llama-cpp';
import { PrometheusModule } from '@backing/prometheus';
import { UsageModule } from '@features/usage';
import { ModelGauges } from './model-gauges.service';
import { ModelRuntimes } from './model-runtimes';
import { Models } from './models.service';

/** Models: routing to runtimes and accounting of their use. */
@Module({
  imports: [LlamaCppModule, PrometheusModule, UsageModule],
  providers: [
    {
      provide: ModelRuntimes,
      inject: [LlamaCppRuntime],
      useFactory: (builtIn: LlamaCppRuntime): ModelRuntimes => ({ all: [builtIn] }),
    },
    ModelGauges,
    Models,
  ],
  exports: [Models],
})
export class ModelsModule {}
