import { Global, Module } from '@nestjs/common';
import { ChromaModule, ChromaStore } from '@backing/chroma';
import { ConsulClient, ConsulModule, ConsulServers } from '@backing/consul';
import { FaissModule, FaissStore } from '@backing/faiss';
import { InProcessModule, InProcessTransport } from '@backing/in-process';
import { MemoryAttempts, MemoryFanout, MemoryLimits, MemoryModule } from '@backing/memory';
import { Neo4jGraph, Neo4jModule } from '@backing/neo4j';
import { PgvectorStore, PostgresGraph, PostgresModule } from '@backing/postgres';
import { QdrantModule, QdrantStore } from '@backing/qdrant';
import { RabbitmqModule, RabbitmqTransport } from '@backing/rabbitmq';
import { RedisAttempts, RedisClient, RedisFanout, RedisLimits, RedisModule } from '@backing/redis';
import { AppConfig } from '@kernel/config';
import { FixedServers, ServerList } from '@kernel/discovery';
import { Fanout } from '@kernel/fanout';
import { Graph } from '@kernel/graph';
import { JobTransport } from '@kernel/jobs';
import { AttemptCounts, Limits } from '@kernel/limits';
import { VectorStores, type VectorStore } from '@kernel/vectors';
import { ConnectedStores } from './connected-stores';

/**
 * Which adapter each port gets under which setting, on one page. A lib that no setting names is constructed and does nothing: its driver is loaded
 * by its first call.
 */
@Global()
@Module({
  imports: [
    ChromaModule,
    ConsulModule,
    FaissModule,
    InProcessModule,
    MemoryModule,
    Neo4jModule,
    PostgresModule,
    QdrantModule,
    RabbitmqModule,
    RedisModule,
  ],
  providers: [
    {
      provide: Limits,
      inject: [RedisClient, MemoryLimits],
      useFactory: (redis: RedisClient, memory: MemoryLimits): Limits => (redis.configured ? new RedisLimits(redis, memory) : memory),
    },
    {
      provide: AttemptCounts,
      inject: [RedisClient, MemoryAttempts],
      useFactory: (redis: RedisClient, memory: MemoryAttempts): AttemptCounts =>
        redis.configured ? new RedisAttempts(redis, memory) : memory,
    },
    {
      provide: Fanout,
      inject: [RedisClient, MemoryFanout],
      useFactory: (redis: RedisClient, memory: MemoryFanout): Fanout => (redis.configured ? new RedisFanout(redis, memory) : memory),
    },
    {
      provide: JobTransport,
      inject: [AppConfig, InProcessTransport, RabbitmqTransport],
      useFactory: (config: AppConfig, own: InProcessTransport, rabbitmq: RabbitmqTransport): JobTransport =>
        config.rabbitmq.url === undefined ? own : rabbitmq,
    },
    {
      // The servers of OLLAMA_URL: those that it names, or those that Consul knows.
      provide: ServerList,
      inject: [AppConfig, ConsulClient],
      useFactory: ({ ollama }: AppConfig, consul: ConsulClient): ServerList =>
        ollama.service === undefined ? new FixedServers(ollama.urls) : new ConsulServers(consul, ollama.service),
    },
    {
      provide: VectorStores,
      inject: [AppConfig, PgvectorStore, ChromaStore, QdrantStore, FaissStore],
      useFactory: (config: AppConfig, ...stores: VectorStore[]): VectorStores => {
        const unset = [config.chroma.url === undefined ? 'chroma' : '', config.qdrant.url === undefined ? 'qdrant' : ''];
        return new ConnectedStores(
          stores.filter((store) => !unset.includes(store.name)),
          config.vectors.store,
        );
      },
    },
    {
      provide: Graph,
      inject: [AppConfig, Neo4jGraph, PostgresGraph],
      useFactory: (config: AppConfig, neo4j: Neo4jGraph, ledger: PostgresGraph): Graph => (config.neo4j.url === undefined ? ledger : neo4j),
    },
  ],
  exports: [AttemptCounts, Fanout, Graph, InProcessModule, JobTransport, RabbitmqModule, Limits, ServerList, VectorStores],
})
export class AdaptersModule {}
