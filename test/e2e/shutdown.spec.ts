import { ModulesContainer } from '@nestjs/core';
import { startApi } from '../support/api';

/** Of the database's own module, whose parts end side by side. */
const OF_THE_DATABASE = ['PostgresClient', 'PostgresListener'];

describe('A stop of the server', () => {
  it('closes the database when everything else is closed', async () => {
    const api = await startApi({ database: 'embedded' });
    const closed: string[] = [];
    const instances = [...api.app.get(ModulesContainer).values()].flatMap((module) =>
      [...module.providers.values()].map((wrapper) => wrapper.instance as { onApplicationShutdown?: () => unknown } | undefined),
    );
    for (const instance of new Set(instances)) {
      const close = instance?.onApplicationShutdown;
      if (instance === undefined || close === undefined) continue;
      instance.onApplicationShutdown = async () => {
        await close.call(instance);
        closed.push(instance.constructor.name);
      };
    }
    await api.close();
    expect(closed).toEqual(expect.arrayContaining(['RabbitmqClient', 'RedisClient', 'Neo4jClient', 'QdrantClient', 'OllamaClient']));
    expect(closed.slice(-OF_THE_DATABASE.length).sort()).toEqual(OF_THE_DATABASE);
  });
});
