export { MemoryAttempts } from './memory-attempts';
export { MemoryFanout } from './memory-fanout';
export { MemoryLimits } from './memory-limits';
export { MemoryModule } from './memory.module';
