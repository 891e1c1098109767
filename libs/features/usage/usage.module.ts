import { Module } from '@nestjs/common';
import { PostgresModule } from '@backing/postgres';
import { PrometheusModule } from '@backing/prometheus';
import { BudgetsRepository } from './budgets.repository';
import { Budgets } from './budgets.service';
import { ModelAccounts } from './model-accounts.service';
import { ModelMeter } from './model-meter.service';
import { UsageReport } from './usage-report.service';
import { UsageRepository } from './usage.repository';

/** What model calls use: rows, budgets and figures. */
@Module({
  imports: [PostgresModule, PrometheusModule],
  providers: [Budgets, BudgetsRepository, ModelAccounts, ModelMeter, UsageReport, UsageRepository],
  exports: [Budgets, ModelAccounts, UsageReport, UsageRepository],
})
export class UsageModule {}
