import { Module } from '@nestjs/common';
import { CATALOGUE, LlamaCppModule, LlamaCppRuntime } from '@backing/llama-cpp';
import { OllamaClient, OllamaModule, OllamaRuntime } from '@backing/ollama';
import { PostgresClient } from '@backing/postgres';
import { PrometheusModule } from '@backing/prometheus';
import { JobsModule } from '@features/jobs';
import { UsageModule } from '@features/usage';
import { AppConfig } from '@kernel/config';
import { ModelAdmission } from './admission/model-admission.service';
import { WaitingJobs } from './admission/waiting-jobs.service';
import { FingerprintsRepository } from './fingerprints.repository';
import { GuardedRuntime } from './guarded.runtime';
import { ModelGauges } from './model-gauges.service';
import { ModelRuntimes } from './model-runtimes';
import { Models } from './models.service';
import { PullingModels } from './pulling-models';
import { SpaceFingerprints } from './space-fingerprints.service';

/** Models: routing to runtimes and accounting of their use. */
@Module({
  imports: [JobsModule, LlamaCppModule, OllamaModule, PrometheusModule, UsageModule],
  providers: [
    {
      provide: OllamaRuntime,
      inject: [OllamaClient, AppConfig],
      useFactory: (client: OllamaClient, config: AppConfig) => new OllamaRuntime(client, CATALOGUE, config.models, config.ollama.parallel),
    },
    {
      provide: ModelRuntimes,
      inject: [LlamaCppRuntime, OllamaRuntime, SpaceFingerprints, PullingModels, AppConfig],
      useFactory: (
        builtIn: LlamaCppRuntime,
        ollama: OllamaRuntime,
        fingerprints: SpaceFingerprints,
        pulling: PullingModels,
        config: AppConfig,
      ): ModelRuntimes => {
        const runtimes = config.ollama.urls.length === 0 && config.ollama.service === undefined ? [builtIn] : [builtIn, ollama];
        return { all: runtimes.map((runtime) => new GuardedRuntime(runtime, fingerprints, pulling)) };
      },
    },
    {
      provide: PullingModels,
      inject: [PostgresClient, AppConfig],
      useFactory: (postgres: PostgresClient, config: AppConfig) => new PullingModels(postgres, config.rabbitmq.url !== undefined),
    },
    FingerprintsRepository,
    ModelAdmission,
    ModelGauges,
    Models,
    SpaceFingerprints,
    WaitingJobs,
  ],
  exports: [Models, OllamaRuntime, PullingModels, SpaceFingerprints],
})
export class ModelsModule {}
