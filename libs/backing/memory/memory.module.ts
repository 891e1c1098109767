import { Module } from '@nestjs/common';
import { MemoryFanout } from './memory-fanout';
import { MemoryLimits } from './memory-limits';

/** What serves in one process in the place of Redis. */
@Module({ providers: [MemoryFanout, MemoryLimits], exports: [MemoryFanout, MemoryLimits] })
export class MemoryModule {}
