export { BudgetsRepository, type BudgetState, type Reservation } from './budgets.repository';
export { Budgets } from './budgets.service';
export { ModelAccounts, type EmbedCall, type GenerationCall } from './model-accounts.service';
export { ModelMeter } from './model-meter.service';
export { UsageModule } from './usage.module';
export { UsageRepository, type UsageAccount, type UsageEntry } from './usage.repository';
