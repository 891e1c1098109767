import { Module } from '@nestjs/common';
import { UsageModule } from '@features/usage';
import { UsageController } from './usage.controller';

/** The HTTP edge of usage. */
@Module({ imports: [UsageModule], controllers: [UsageController] })
export class UsageApiModule {}
