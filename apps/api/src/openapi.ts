import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { DataDirectory } from '@backing/data-directory';
import { AppConfig, parseConfig } from '@kernel/config';
import { ApiModule } from './api.module';
import { openApiDocument } from './docs/openapi-document';

/** The application as it would be with default settings; no factory runs in preview mode, and this one must not. */
const PREVIEW: DynamicModule = {
  module: ApiModule,
  global: true,
  providers: [
    { provide: AppConfig, useFactory: () => parseConfig({}) },
    {
      provide: DataDirectory,
      useFactory: () => {
        throw new Error('The document is made without a data directory.');
      },
    },
  ],
  exports: [AppConfig, DataDirectory],
};

/** Prints the OpenAPI document. In preview mode nothing is constructed: no database is opened and no model is loaded. */
async function print(): Promise<void> {
  const app = await NestFactory.create(PREVIEW, new FastifyAdapter(), { preview: true, logger: false, abortOnError: false });
  process.stdout.write(`${openApiDocument(app)}\n`);
}

print().catch((error: unknown) => {
  process.stderr.write(`${String(error instanceof Error ? error.stack : error)}\n`);
  process.exitCode = 1;
});
