import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ApiModule } from './api.module';
import { openApiDocument } from './docs/openapi-document';

/** Prints the OpenAPI document. In preview mode nothing is constructed: no database is opened and no model is loaded. */
async function print(): Promise<void> {
  const app = await NestFactory.create(ApiModule, new FastifyAdapter(), { preview: true, logger: false });
  process.stdout.write(`${openApiDocument(app)}\n`);
}

print().catch((error: unknown) => {
  process.stderr.write(`${String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(1);
});
