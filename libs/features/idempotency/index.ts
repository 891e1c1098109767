export { Idempotency, type KeyedRequest } from './idempotency.service';
export { IdempotencyModule } from './idempotency.module';
export { IdempotencyRetention } from './idempotency-retention.service';
export { IdempotentAttempt } from './idempotent-attempt.entity';
export type { KeptAnswer, KeptRequest } from './kept-request.entity';
