import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { ERROR_STATUS, ERROR_TITLE, type ErrorCode } from '@kernel/errors';
import type { z } from 'zod';

const PROBLEM = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };

/** Documents a success answer: its status, the schema of its body (none for 204 and the like) and what it means. */
export const Answers = (status: number, schema: z.ZodType | undefined, description: string) =>
  ApiResponse({ status, description, ...(schema === undefined ? {} : { standardSchema: schema }) });

/** Documents the error answers of a route beyond those that every route has (400, 401, 403, 429, 500, 503, 504). */
export const Problems = (...codes: ErrorCode[]) =>
  applyDecorators(
    ...codes.map((code) => ApiResponse({ status: ERROR_STATUS[code], description: `${code}: ${ERROR_TITLE[code]}.`, content: PROBLEM })),
  );
