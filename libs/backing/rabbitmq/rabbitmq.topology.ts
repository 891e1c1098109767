import type { Channel } from 'amqplib';
import { laneName, type JobLane } from '@kernel/jobs';

/** Messages to their lane's queue. */
export const JOBS_EXCHANGE = 'sutazai.jobs';
/** Messages whose delay is over. */
const DUE_EXCHANGE = 'sutazai.jobs.due';
/** Messages that nobody could take: they lie in one queue until a worker has looked what becomes of their jobs. */
export const DEAD_EXCHANGE = 'sutazai.jobs.dead';
export const DEAD_QUEUE = 'sutazai.jobs.dead';

/** So often a message may be brought to workers that die or hand it back; the row in the database says what becomes of its job. */
const DELIVERIES = 20;
/** Ids only, so this is little; the oldest go first. */
const MOST_DEAD = 100_000;

/** A delay is a number of ticks; each binary digit of it that is set is one queue on the way, in which a message stays for that power of two. */
const TICK_MS = 250;
const DIGITS = 7;
const MOST_TICKS = 2 ** DIGITS - 1;

export const queueOf = (lane: JobLane): string => `${JOBS_EXCHANGE}.${lane.kind}.v${lane.version}`;

const QUORUM = { 'x-queue-type': 'quorum' };
/** Dead letters are handed over at least once, which needs `reject-publish` ("Quorum Queues", RabbitMQ documentation). */
const SAFELY = { ...QUORUM, 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' };

/** Declares what is missing: the exchanges, the queue of the dead, and one quorum queue for each lane. Repeating it changes nothing; a queue that exists
 * with other arguments is refused by the server (406). */
export async function declareTopology(channel: Channel, lanes: Iterable<JobLane>): Promise<void> {
  await channel.assertExchange(JOBS_EXCHANGE, 'direct', { durable: true });
  await channel.assertExchange(DUE_EXCHANGE, 'topic', { durable: true });
  await channel.assertExchange(DEAD_EXCHANGE, 'fanout', { durable: true });
  await channel.assertQueue(DEAD_QUEUE, { durable: true, arguments: { ...QUORUM, 'x-max-length': MOST_DEAD } });
  await channel.bindQueue(DEAD_QUEUE, DEAD_EXCHANGE, '');
  for (const lane of lanes) await declareLane(channel, lane);
}

export async function declareLane(channel: Channel, lane: JobLane): Promise<void> {
  const queue = queueOf(lane);
  const dead = { 'x-dead-letter-exchange': DEAD_EXCHANGE, 'x-dead-letter-routing-key': laneName(lane) };
  await channel.assertQueue(queue, { durable: true, arguments: { ...SAFELY, ...dead, 'x-delivery-limit': DELIVERIES } });
  await channel.bindQueue(queue, JOBS_EXCHANGE, laneName(lane));
  await channel.bindQueue(queue, DUE_EXCHANGE, `${'*.'.repeat(DIGITS)}${laneName(lane)}`);
}

/**
 * The ladder of the delays: an exchange for each digit, and a queue whose messages live for its power of two and then go on to the next digit. With one time for
 * all of a queue none waits behind another, however they were mixed (the shape of NServiceBus's and Celery's delayed delivery). No queue is there for those
 * who never delay anything.
 */
export async function declareDelays(channel: Channel): Promise<void> {
  await channel.assertExchange(DUE_EXCHANGE, 'topic', { durable: true });
  for (let digit = 0; digit < DIGITS; digit += 1) {
    const [exchange, next] = [delayName(digit), digit === 0 ? DUE_EXCHANGE : delayName(digit - 1)];
    const before = '*.'.repeat(DIGITS - 1 - digit);
    await channel.assertExchange(exchange, 'topic', { durable: true });
    await channel.assertQueue(exchange, {
      durable: true,
      arguments: { ...SAFELY, 'x-message-ttl': TICK_MS * 2 ** digit, 'x-dead-letter-exchange': next },
    });
    await channel.bindQueue(exchange, exchange, `${before}1.#`);
    await channel.bindExchange(next, exchange, `${before}0.#`);
  }
}

/** Where a message goes that is to arrive `delayMs` from now, or a tick later. */
export function routeOf(lane: JobLane, delayMs: number): { exchange: string; key: string } {
  const ticks = Math.min(MOST_TICKS, Math.ceil(delayMs / TICK_MS));
  if (ticks <= 0) return { exchange: JOBS_EXCHANGE, key: laneName(lane) };
  const digits = ticks.toString(2).padStart(DIGITS, '0');
  return { exchange: delayName(DIGITS - 1), key: `${[...digits].join('.')}.${laneName(lane)}` };
}

const delayName = (digit: number): string => `${JOBS_EXCHANGE}.delay.${digit}`;
