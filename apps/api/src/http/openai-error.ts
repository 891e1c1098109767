import { AppError, type ErrorCode } from '@kernel/errors';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { problemHeaders } from './problem';

/** An error in the form that OpenAI's clients read; all four keys are always there. */
export const openAiErrorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string().meta({ example: 'invalid_request_error' }),
      param: z.string().nullable().meta({ description: 'The parameter that is at fault.' }),
      code: z.string().nullable().meta({ example: 'model_not_found' }),
    }),
  })
  .meta({ id: 'OpenAiError' });

export type OpenAiError = z.infer<typeof openAiErrorSchema>;

/** OpenAI's own word for an error where it has one; every other error carries the platform's code. */
const WORDS: Partial<Record<ErrorCode, { type?: string; code: string | null }>> = {
  invalid: { code: null },
  unprocessable: { code: null },
  unauthenticated: { type: 'authentication_error', code: 'invalid_api_key' },
  forbidden: { type: 'permission_error', code: 'insufficient_permissions' },
  not_found: { type: 'not_found_error', code: 'not_found' },
  rate_limited: { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  budget_exhausted: { type: 'insufficient_quota', code: 'insufficient_quota' },
};

/** Whether an address belongs to the OpenAI-compatible API: by the matched route, and by the address itself when nothing matched. */
export function isOpenAi(request: Pick<FastifyRequest, 'url' | 'is404'> & { routeOptions?: { url?: string } }): boolean {
  const path = request.is404 ? request.url : (request.routeOptions?.url ?? request.url);
  return /^\/v1(?:[/?;]|$)/i.test(decoded(path));
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

export function openAiErrorOf(error: AppError): OpenAiError {
  const [fault] = error.errors ?? [];
  const field = fault?.path;
  const param = field === undefined || field === 'body' ? null : field;
  const words = WORDS[error.code] ?? { code: error.code };
  const code = error.code === 'not_found' && param === 'model' ? 'model_not_found' : (fault?.code ?? words.code);
  const type = words.type ?? (error.status >= 500 ? 'server_error' : 'invalid_request_error');
  return { error: { message: error.message, type, param, code } };
}

/** OpenAI answers 400 to whatever is wrong with a value. */
export function openAiStatus(error: AppError): number {
  return error.status === 422 ? 400 : error.status;
}

export function openAiHeaders(error: AppError): Record<string, string> {
  return { ...problemHeaders(error), 'content-type': 'application/json; charset=utf-8' };
}
