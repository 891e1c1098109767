import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { ParameterTable } from './parameters';

/**
 * The body of an address: its supported fields, all of which the table must name; ignored ones pass; refused and unknown ones are faults that name
 * the parameter. A null is as good as nothing, as OpenAI has it.
 */
export function bodyOf<Fields extends z.ZodRawShape>(table: ParameterTable<Extract<keyof Fields, string>>, fields: Fields) {
  return z.looseObject(fields).superRefine((body, context) => {
    for (const [name, value] of Object.entries(body)) {
      const fault = value === null || name in fields ? undefined : faultOf(table, name, value);
      if (fault !== undefined) context.addIssue({ code: 'custom', path: [name], message: fault.message, params: { code: fault.code } });
    }
  });
}

function faultOf(table: ParameterTable, name: string, value: unknown): { message: string; code: string } | undefined {
  if (name in table.ignored) return undefined;
  const refused = table.refused[name];
  if (refused === undefined) return { code: 'unknown_parameter', message: 'is not a parameter of this address.' };
  if (refused.except.some((harmless) => isDeepStrictEqual(harmless, value))) return undefined;
  return { code: 'unsupported_parameter', message: `is not supported with this value: ${refused.note}.` };
}
