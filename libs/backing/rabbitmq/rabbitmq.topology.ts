import type { Channel } from 'amqplib';

/** Messages to their kind's queue. */
export const JOBS_EXCHANGE = 'sutazai.jobs';
/** Messages that nobody could take: they lie in one queue, for people to look at. */
export const DEAD_EXCHANGE = 'sutazai.jobs.dead';
export const DEAD_QUEUE = 'sutazai.jobs.dead';

/** So often a message may be brought to workers that die or hand it back; the row in the database says what becomes of its job. */
const DELIVERIES = 20;
/** Ids only, so this is little; the oldest go first. */
const MOST_DEAD = 100_000;

export const queueOf = (kind: string): string => `${JOBS_EXCHANGE}.${kind}`;

/**
 * Declares what is missing: the exchanges, the queue of the dead, and one quorum queue for each kind. Repeating it changes nothing; a queue that exists
 * with other arguments is refused by the server (406). Dead letters are handed over at least once, which needs `reject-publish`
 * ("Quorum Queues", RabbitMQ documentation).
 */
export async function declareTopology(channel: Channel, kinds: Iterable<string>): Promise<void> {
  await channel.assertExchange(JOBS_EXCHANGE, 'direct', { durable: true });
  await channel.assertExchange(DEAD_EXCHANGE, 'fanout', { durable: true });
  await channel.assertQueue(DEAD_QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-max-length': MOST_DEAD } });
  await channel.bindQueue(DEAD_QUEUE, DEAD_EXCHANGE, '');
  for (const kind of kinds) await declareKind(channel, kind);
}

export async function declareKind(channel: Channel, kind: string): Promise<void> {
  await channel.assertQueue(queueOf(kind), {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-delivery-limit': DELIVERIES,
      'x-dead-letter-exchange': DEAD_EXCHANGE,
      'x-dead-letter-routing-key': kind,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    },
  });
  await channel.bindQueue(queueOf(kind), JOBS_EXCHANGE, kind);
}
