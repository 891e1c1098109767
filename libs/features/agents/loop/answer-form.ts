import { Ajv } from 'ajv';

/** Whether an answer is JSON that satisfies a schema. */
export function satisfies(answer: string, schema: Record<string, unknown>): boolean {
  try {
    return new Ajv({ strict: false, allErrors: false }).validate(schema, JSON.parse(answer)) === true;
  } catch {
    return false;
  }
}
