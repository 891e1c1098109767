export { BudgetsRepository, type BudgetState, type Reservation } from './budgets.repository';
export { Budgets } from './budgets.service';
export { ModelAccounts, type EmbedCall, type GenerationCall } from './model-accounts.service';
export { ModelMeter } from './model-meter.service';
export { UsageModule } from './usage.module';
export { UsageReport, type UsageAnswer, type UsageQuestion } from './usage-report.service';
export {
  UsageRepository,
  type GroupTotals,
  type UsageAccount,
  type UsageEntry,
  type UsageGroup,
  type UsageTotals,
} from './usage.repository';
