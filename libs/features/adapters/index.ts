export { AdaptersModule } from './adapters.module';
