import { type ArgumentMetadata, Injectable, StandardSchemaValidationPipe } from '@nestjs/common';
import { AppError, type FieldError } from '@kernel/errors';

type Issue = Parameters<
  NonNullable<NonNullable<ConstructorParameters<typeof StandardSchemaValidationPipe>[0]>['exceptionFactory']>
>[0][number];

/** Names that the parent class takes out of a value without a word; a caller is to be told. */
const SWALLOWED = ['__proto__', 'constructor', 'prototype'];

/** Validates bodies, queries and parameters by the schema of the handler; every fault of the input is named by its field. */
@Injectable()
export class ValidationPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({ exceptionFactory: (issues) => invalid(issues.flatMap(fieldErrors)) });
  }

  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    if (metadata.schema !== undefined && metadata.type === 'body' && value === undefined) {
      const { issues } = await metadata.schema['~standard'].validate(undefined);
      if (issues !== undefined) throw AppError.field('invalid', 'body', 'a JSON object is required.');
    }
    const swallowed = typeof value === 'object' && value !== null && SWALLOWED.find((name) => Object.hasOwn(value, name));
    if (metadata.schema !== undefined && swallowed) throw AppError.field('invalid', swallowed, 'is not a known field.');
    if (metadata.schema !== undefined && metadata.type === 'query') refuseEmpty(value);
    return super.transform(value, metadata);
  }
}

/** An empty text would be read as the number 0. */
function refuseEmpty(query: unknown): void {
  if (typeof query !== 'object' || query === null) return;
  for (const [name, value] of Object.entries(query))
    if (typeof value === 'string' && value.trim() === '') throw AppError.field('invalid', name, 'must not be empty.');
}

/** The first fault stands in the sentence, all of them (at most 50) in the list. */
function invalid(errors: FieldError[]): AppError {
  const [first] = errors;
  const detail = first === undefined ? 'The request is not valid.' : `${first.path}: ${first.message}`;
  return new AppError('invalid', detail, { errors: errors.slice(0, 50) });
}

/** A zod issue; a strict object reports all its unknown keys in one, which becomes one error for each. */
function fieldErrors(issue: Issue): FieldError[] {
  const path = pathOf(issue);
  const { keys, params } = issue as { keys?: unknown; params?: { code?: string } };
  if (!Array.isArray(keys))
    return [{ path: path || 'body', message: issue.message, ...(params?.code === undefined ? {} : { code: params.code }) }];
  return keys.map((key) => ({ path: path === '' ? String(key) : `${path}.${String(key)}`, message: 'is not a known field.' }));
}

function pathOf(issue: Issue): string {
  let path = '';
  for (const segment of issue.path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment;
    path += typeof key === 'number' ? `[${key}]` : `${path === '' ? '' : '.'}${String(key)}`;
  }
  return path;
}
