import { chatCompletionBody } from './chat-completions.schema';
import { completionBody } from './completions.schema';
import { embeddingsBody } from './embeddings.schema';
import { PARAMETER_TABLES, type ParameterTable } from './parameters';

const VALID: Record<string, object> = {
  'POST /v1/chat/completions': { model: 'm', messages: [{ role: 'user', content: 'Hi' }] },
  'POST /v1/completions': { model: 'm', prompt: 'Hi' },
  'POST /v1/embeddings': { model: 'm', input: 'Hi' },
};
const SCHEMAS = {
  'POST /v1/chat/completions': chatCompletionBody,
  'POST /v1/completions': completionBody,
  'POST /v1/embeddings': embeddingsBody,
};

describe.each(PARAMETER_TABLES.map((table): [string, ParameterTable] => [table.endpoint, table]))('parameters of %s', (endpoint, table) => {
  const schema = SCHEMAS[endpoint as keyof typeof SCHEMAS];
  const faults = (fields: object): string[] =>
    (schema.safeParse({ ...VALID[endpoint], ...fields }).error?.issues ?? []).map(({ path }) => path.join('.'));

  it('names exactly the fields of the schema as supported', () => {
    expect(Object.keys(table.supported).sort()).toEqual(Object.keys(schema.shape).sort());
  });

  it('names no parameter twice', () => {
    const names = [table.supported, table.ignored, table.refused].flatMap(Object.keys);
    expect(new Set(names).size).toBe(names.length);
  });

  it('passes what is ignored', () => {
    expect(faults(Object.fromEntries(Object.keys(table.ignored).map((name) => [name, { any: 'thing' }])))).toEqual([]);
  });

  it('refuses the others by name, except their harmless values and null', () => {
    for (const [name, { except }] of Object.entries(table.refused)) {
      expect(faults({ [name]: { odd: 1 } })).toEqual([name]);
      for (const harmless of [null, ...except]) expect([name, faults({ [name]: harmless })]).toEqual([name, []]);
    }
  });

  it('refuses unknown names', () => {
    expect(faults({ unheard_of: 0 })).toEqual(['unheard_of']);
    expect(faults({ unheard_of: null })).toEqual([]);
  });
});
