import { Module } from '@nestjs/common';
import { HealthModule } from '@features/health';
import { HealthController } from './health.controller';

/** The HTTP edge of health. */
@Module({ imports: [HealthModule], controllers: [HealthController] })
export class HealthApiModule {}
