export { InProcessModule } from './in-process.module';
export { InProcessTransport } from './in-process.transport';
