import { Module } from '@nestjs/common';
import { MemoryAttempts } from './memory-attempts';
import { MemoryFanout } from './memory-fanout';
import { MemoryLimits } from './memory-limits';

const PROVIDERS = [MemoryAttempts, MemoryFanout, MemoryLimits];

/** What serves in one process in the place of Redis. */
@Module({ providers: PROVIDERS, exports: PROVIDERS })
export class MemoryModule {}
