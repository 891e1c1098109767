import { Module } from '@nestjs/common';
import { IdempotencyModule } from '@features/idempotency';
import { IdempotentRequests } from './idempotent-requests.service';

/** The HTTP edge of idempotency keys. */
@Module({ imports: [IdempotencyModule], providers: [IdempotentRequests], exports: [IdempotentRequests] })
export class IdempotencyApiModule {}
