import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { RedisClient } from './redis.client';
import { RedisHealth } from './redis.health';

/** The Redis of REDIS_URL; without that setting nothing is ever called. */
@Module({ imports: [TerminusModule], providers: [RedisClient, RedisHealth], exports: [RedisClient, RedisHealth] })
export class RedisModule {}
