export { Heartbeat } from './heartbeat.service';
export { ProcessesModule } from './processes.module';
export { ProcessesRepository, type PresentProcess, type Workload } from './processes.repository';
export { WorkersHealth } from './workers.health';
