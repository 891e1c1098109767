import { Module, type Type } from '@nestjs/common';
import { ChromaHealth, ChromaModule } from '@backing/chroma';
import { ConsulHealth, ConsulModule } from '@backing/consul';
import { FaissHealth, FaissModule } from '@backing/faiss';
import { KongHealth, KongModule } from '@backing/kong';
import { Neo4jHealth, Neo4jModule } from '@backing/neo4j';
import { OllamaHealth, OllamaModule } from '@backing/ollama';
import { PostgresHealth, PostgresModule } from '@backing/postgres';
import { QdrantHealth, QdrantModule } from '@backing/qdrant';
import { RabbitmqHealth, RabbitmqModule } from '@backing/rabbitmq';
import { RedisHealth, RedisModule } from '@backing/redis';
import { ProcessesModule, WorkersHealth } from '@features/processes';
import type { ServiceIndicator } from '@kernel/health';
import { Health } from './health.service';
import { Readiness } from './readiness.service';
import { ServiceIndicators } from './service-indicators';

/** The indicator of each backing service: one line here, and the module that gives it in the line below. */
const INDICATORS: Type<ServiceIndicator>[] = [
  PostgresHealth,
  ChromaHealth,
  QdrantHealth,
  FaissHealth,
  RedisHealth,
  RabbitmqHealth,
  Neo4jHealth,
  ConsulHealth,
  OllamaHealth,
  KongHealth,
  WorkersHealth,
];
const MODULES = [
  PostgresModule,
  ChromaModule,
  QdrantModule,
  FaissModule,
  RedisModule,
  RabbitmqModule,
  Neo4jModule,
  ConsulModule,
  OllamaModule,
  KongModule,
  ProcessesModule,
];

/** What the platform says about its own state. */
@Module({
  imports: MODULES,
  providers: [
    { provide: ServiceIndicators, inject: INDICATORS, useFactory: (...all: ServiceIndicator[]) => new ServiceIndicators(all) },
    Health,
    Readiness,
  ],
  exports: [Health, Readiness],
})
export class HealthModule {}
