import { type DynamicModule, Module } from '@nestjs/common';
import { PostgresModule } from '@backing/postgres';
import { ResetTokensModule } from '@features/auth';
import { AppConfig } from '@kernel/config';

/** As much of the product as a password reset needs: the database and the tokens. */
@Module({ imports: [PostgresModule, ResetTokensModule] })
export class RecoveryModule {
  static over(config: AppConfig): DynamicModule {
    return { module: RecoveryModule, global: true, providers: [{ provide: AppConfig, useValue: config }], exports: [AppConfig] };
  }
}
