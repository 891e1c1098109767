import { Global, Module } from '@nestjs/common';
import { Limits } from '@kernel/limits';
import { MemoryLimits } from './memory-limits';

/** What serves in one process in the place of Redis. */
@Global()
@Module({ providers: [{ provide: Limits, useClass: MemoryLimits }], exports: [Limits] })
export class MemoryModule {}
