import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { RabbitmqClient } from './rabbitmq.client';
import { RabbitmqTransport } from './rabbitmq.transport';

const ROOT = join(__dirname, '..', '..', '..');

describe('RabbitmqClient', () => {
  it('opens nothing before somebody needs it, and closes all the same', async () => {
    const client = new RabbitmqClient(undefined);
    const transport = new RabbitmqTransport(client);
    expect(client.configured).toBe(false);
    expect(transport.ready).toBe(false);
    await client.onApplicationShutdown();
  });

  it('publishes nothing while there is no connection, and says so at once', async () => {
    const client = new RabbitmqClient('amqp://127.0.0.1:1', { connectMs: 100 });
    const transport = new RabbitmqTransport(client);
    const asked = performance.now();
    await expect(transport.publish({ job_id: 'x', kind: 'test.work', version: 1 })).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - asked).toBeLessThan(200);
    await client.onApplicationShutdown();
  });

  it('loads no driver in a build that does not use it', () => {
    const script = `
      const { RabbitmqClient, RabbitmqTransport } = require(${JSON.stringify(join(ROOT, 'dist', 'libs', 'backing', 'rabbitmq'))});
      new RabbitmqTransport(new RabbitmqClient(undefined));
      console.log(Object.keys(require.cache).filter((file) => /amqp/.test(file) && /node_modules/.test(file)).length);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: ROOT, encoding: 'utf8' });
    expect([stdout.trim(), stderr]).toEqual(['0', '']);
  });
});
