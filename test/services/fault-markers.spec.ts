import { randomUUID } from 'node:crypto';
import { openSource, PostgresClient, sql } from '@backing/postgres';
import { connect } from 'amqplib';
import { Client } from 'pg';
import { newDatabase } from '../support/databases';
import { FaultProxy } from '../support/fault-proxy';
import { describeService } from '../support/services';
import { commitAfter, publisherConfirm } from '../support/wire-markers';

// The real driver of the product, the real servers, and the proxy in between: the server has done it, and the client is not told.

describe('the marker of a COMMIT', () => {
  it('loses the answer of a statement and of a transaction that are committed', async () => {
    const place = await newDatabase('postgres');
    const direct = new Client({ connectionString: place.url });
    await direct.connect();
    const { proxy, url } = await FaultProxy.beforeUrl(place.url ?? '');
    const { source } = await openSource({ directory: place.directory, database: { url, poolSize: 2, poolOverflow: 0, migrate: 'auto' } });
    const client = new PostgresClient(source, undefined);
    try {
      await direct.query('CREATE TABLE told (name text)');
      const alone = proxy.marked(commitAfter('INSERT INTO told'), 'reset');
      await expect(client.query(sql`INSERT INTO told VALUES ('alone')`)).rejects.toThrow();
      await alone;

      const both = proxy.marked(commitAfter('INSERT INTO told'), 'reset');
      const transaction = client.transaction(async (connection) => {
        await connection.query(sql`INSERT INTO told VALUES ('one')`);
        await connection.query(sql`INSERT INTO told VALUES ('two')`);
      });
      await expect(transaction).rejects.toThrow();
      await both;

      // Nothing is in the way any more.
      await client.transaction((connection) => connection.query(sql`INSERT INTO told VALUES ('heard')`));
      const { rows } = await direct.query<{ name: string }>('SELECT name FROM told');
      expect(rows.map(({ name }) => name)).toEqual(['alone', 'one', 'two', 'heard']);
    } finally {
      await client.onApplicationShutdown();
      await direct.end();
      await proxy.close();
      await place.drop();
    }
  });
});

describeService('rabbitmq', "the marker of a broker's confirm", (direct) => {
  it('loses the confirm of a message that the broker has', async () => {
    const { proxy, url } = await FaultProxy.beforeUrl(direct);
    const looking = await connect(direct);
    const publishing = await connect(url);
    publishing.on('error', () => undefined);
    const queue = `marker-${randomUUID()}`;
    try {
      const channel = await publishing.createConfirmChannel();
      channel.on('error', () => undefined);
      await channel.assertQueue(queue, { durable: true });
      const kept = proxy.marked(publisherConfirm, 'reset');
      const outcome = new Promise((resolve) => channel.publish('', queue, Buffer.from('x'), { persistent: true }, resolve));
      await kept;
      expect(await outcome).toBeInstanceOf(Error);
      const seen = await looking.createChannel();
      const message = await seen.get(queue);
      expect(message === false ? undefined : message.content.toString()).toBe('x');
      await seen.deleteQueue(queue);
    } finally {
      await publishing.close().catch(() => undefined);
      await looking.close();
      await proxy.close();
    }
  });
});
