import { Module } from '@nestjs/common';
import { IdempotencyKeysRepository } from './idempotency-keys.repository';
import { IdempotencyRetention } from './idempotency-retention.service';
import { Idempotency } from './idempotency.service';

/** Answers kept for requests that are repeated. */
@Module({ providers: [Idempotency, IdempotencyKeysRepository, IdempotencyRetention], exports: [Idempotency, IdempotencyRetention] })
export class IdempotencyModule {}
