import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ERROR_STATUS, ERROR_TITLE, type ErrorCode } from '@kernel/errors';
import { releaseVersion } from '@kernel/config';
import { z } from 'zod';
import type { RouteOptions } from '../http/access.decorator';
import { openAiErrorSchema } from '../http/openai-error';
import { problemSchema } from '../http/problem.schema';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const EVENTS = 'text/event-stream';
/** `unprocessable`: also a query or a path with U+0000. */
const OF_EVERY_ROUTE: ErrorCode[] = ['invalid', 'unprocessable', 'internal', 'unavailable', 'timeout'];
const OF_PRIVATE_ROUTES: ErrorCode[] = ['unauthenticated', 'forbidden', 'rate_limited'];
const OF_BODIES: ErrorCode[] = ['too_large', 'unsupported_media_type'];
const OF_REPEATS: ErrorCode[] = ['idempotency_in_progress', 'idempotency_key_reused'];
const PROBLEM = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
const REPLAYED = {
  description: 'true: the answer of the request that this one repeats.',
  schema: { type: 'string' as const, enum: ['true'] },
};

/** The OpenAPI document of an application: every route, shape, error and the security scheme, as JSON with sorted keys (stable to compare). */
export function openApiDocument(app: INestApplication): string {
  const settings = new DocumentBuilder()
    .setTitle('SutazAI Platform')
    .setDescription('Self-hosted AI backend: chat over your own documents, on local models. Errors are problem documents (RFC 9457).')
    .setVersion(releaseVersion())
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An access token of a person, or an API key.' })
    .build();
  const document = SwaggerModule.createDocument(app, settings, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  document.components ??= {};
  document.components.schemas ??= {};
  document.components.schemas.Problem = componentOf(problemSchema);
  document.components.schemas.OpenAiError = componentOf(openAiErrorSchema);
  for (const operation of operationsOf(document)) describeStreams(addRepeats(addProblems(operation)));
  for (const operation of operationsOf(document, '/v1/')) speakOpenAi(operation);
  return JSON.stringify(sorted(document), null, 2);
}

/** A schema with a name comes as a reference to its own definitions, which an OpenAPI document does not have. */
function componentOf(schema: z.ZodType) {
  const { definitions = {}, ...whole } = z.toJSONSchema(schema, { target: 'openapi-3.0' }) as Record<string, Record<string, object>>;
  const [named] = Object.values(definitions);
  const { $schema: _dialect, id: _id, ...component } = { ...(named ?? whole) } as Record<string, unknown>;
  return component;
}

function operationsOf(document: OpenAPIObject, prefix = '/'): Operation[] {
  const paths = Object.entries(document.paths).filter(([address]) => address.startsWith(prefix));
  return paths.flatMap(([, path]) => METHODS.flatMap((method) => path[method] ?? []));
}

/** Errors that follow from what the route is, so that no controller repeats them. */
function addProblems(operation: Operation): Operation {
  const codes = [...OF_EVERY_ROUTE];
  if ((operation.security ?? []).length > 0) codes.push(...OF_PRIVATE_ROUTES);
  if (operation.requestBody !== undefined) codes.push(...OF_BODIES);
  for (const code of codes) {
    operation.responses[ERROR_STATUS[code]] ??= { description: `${code}: ${ERROR_TITLE[code]}.`, content: PROBLEM };
  }
  return operation;
}

/** Where a request may be repeated under its key: the answers that this adds, and how a repeat is told. */
function addRepeats(operation: Operation): Operation {
  const { 'x-idempotency': creates } = operation as { 'x-idempotency'?: RouteOptions['creates'] };
  if (creates === undefined) return operation;
  for (const code of OF_REPEATS) addProblem(operation, code);
  if (creates === 'secret') addProblem(operation, 'conflict');
  for (const [status, response] of Object.entries(operation.responses))
    if (creates === 'answer' && Number(status) < 300 && response !== undefined && !('$ref' in response))
      response.headers = { ...response.headers, 'Idempotent-Replayed': REPLAYED };
  return operation;
}

/** Beside what the status may mean otherwise. */
function addProblem({ responses }: Operation, code: ErrorCode): void {
  const words = `${code}: ${ERROR_TITLE[code]}.`;
  const known = responses[ERROR_STATUS[code]];
  if (known !== undefined && !('$ref' in known)) {
    if (!known.description.includes(words)) known.description += ` ${words}`;
  } else responses[ERROR_STATUS[code]] = { description: words, content: PROBLEM };
}

/** A stream has not the shape of the whole answer, and what was only accepted is never one. */
function describeStreams({ responses }: Operation): void {
  for (const [status, response] of Object.entries(responses)) {
    if (response === undefined || '$ref' in response || response.content?.[EVENTS] === undefined) continue;
    if (status === '202') delete response.content[EVENTS];
    else response.content[EVENTS] = {};
  }
}

/** Errors under `/v1` have OpenAI's form, and what is wrong with a value is always 400. */
function speakOpenAi({ responses }: Operation): void {
  delete responses['422'];
  for (const [status, response] of Object.entries(responses)) {
    if (Number(status) < 400 || response === undefined || '$ref' in response) continue;
    response.content = { 'application/json': { schema: { $ref: '#/components/schemas/OpenAiError' } } };
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
