export { ModelRuntimes } from './model-runtimes';
export { ModelsModule } from './models.module';
export { Models, type ModelStatus } from './models.service';
export { strongerModel, type StrongerModel } from './stronger-model';
export { ModelAccounts, UsageRepository, type UsageAccount, type UsageEntry } from '@features/usage';
