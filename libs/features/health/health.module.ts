import { Module } from '@nestjs/common';
import { OllamaModule } from '@backing/ollama';
import { PostgresModule } from '@backing/postgres';
import { Health } from './health.service';
import { Readiness } from './readiness.service';

/** What the platform says about its own state. */
@Module({ imports: [OllamaModule, PostgresModule], providers: [Health, Readiness], exports: [Health, Readiness] })
export class HealthModule {}
