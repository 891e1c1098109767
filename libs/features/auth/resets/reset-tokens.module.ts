import { Module } from '@nestjs/common';
import { AuditModule } from '@features/audit';
import { ResetTokens } from './reset-tokens.service';
import { ResetsRepository } from './resets.repository';

/** Issuing password resets, which also works without the rest of identity: on the machine itself. */
@Module({ imports: [AuditModule], providers: [ResetTokens, ResetsRepository], exports: [ResetTokens, ResetsRepository] })
export class ResetTokensModule {}
