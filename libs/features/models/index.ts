export { ModelRuntimes } from './model-runtimes';
export { ModelsModule } from './models.module';
export { ModelPullsModule } from './pulls/model-pulls.module';
export { ModelPulls } from './pulls/model-pulls.service';
export { ModelRemoval } from './pulls/model-removal.service';
export type { PullTarget } from './pulls/pull-target';
export { Models, type ModelStatus } from './models.service';
export { strongerModel, type StrongerModel } from './stronger-model';
export { ModelAccounts, UsageRepository, type UsageAccount, type UsageEntry } from '@features/usage';
