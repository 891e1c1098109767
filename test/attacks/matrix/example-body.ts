import type { VictimIds } from '../kit';
import { PASSWORD } from '../kit';

export interface Schema {
  $ref?: string;
  type?: string;
  format?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  minLength?: number;
  minimum?: number;
  pattern?: string;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
}
export interface OpenApi {
  paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: Schema }> } }>>;
  components: { schemas: Record<string, Schema> };
}

/** Members that name something of somebody: they are always filled, with the id of the victim's. */
const ID_MEMBERS: Record<string, (ids: VictimIds) => unknown> = {
  id: ({ point }) => point,
  ids: ({ point }) => [point],
  collection: ({ collection }) => collection,
  collections: ({ collection }) => [collection],
  session_id: ({ session }) => session,
  parent_id: ({ message }) => message,
  document_id: ({ document }) => document,
  agent_id: ({ agent }) => agent,
  job_id: ({ job }) => job,
  user_id: ({ user }) => user,
  workspace_id: ({ workspace }) => workspace,
};
/** Members with a meaning that no schema tells. */
const KNOWN_MEMBERS: Record<string, unknown> = {
  email: 'somebody@example.org',
  password: PASSWORD,
  current_password: PASSWORD,
  new_password: 'another horse another battery',
  model: 'smollm2-135m-instruct',
  vector: [1, 2, 3],
  scopes: ['models:read'],
  text: 'A text.',
  // A model of the catalogue, and a good name of anything else; its licence is only asked for, so that nothing is fetched.
  name: 'smollm2-135m-instruct',
  accept_license: false,
};
/** Filled though nothing demands them: one of several members is needed. */
const FILLED = ['vector', 'dimensions', 'accept_license'];

/** The smallest valid JSON body of an operation, with `ids` in every member that takes an id; undefined when it takes none. */
export function exampleBody(document: OpenApi, method: string, url: string, ids: VictimIds): unknown {
  const operation = document.paths[url.replaceAll(/:([A-Za-z]+)/g, '{$1}')]?.[method.toLowerCase()];
  const schema = operation?.requestBody?.content['application/json']?.schema;
  return schema === undefined ? undefined : example(schema, document, ids);
}

/** Where nothing is demanded, something must be changed: the first of these that there is. */
const CHANGED = ['name', 'title', 'description', 'metadata', 'note'];

function example(schema: Schema, document: OpenApi, ids: VictimIds): unknown {
  if (schema.$ref !== undefined) return example(document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}, document, ids);
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives !== undefined) return example(alternatives.find(isPlain) ?? {}, document, ids);
  if (schema.allOf !== undefined) return Object.assign({}, ...schema.allOf.map((part) => example(part, document, ids) as object));
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.type === 'object' || schema.properties !== undefined) return exampleObject(schema, document, ids);
  if (schema.type === 'array') return Array.from({ length: schema.minItems ?? 0 }, () => example(schema.items ?? {}, document, ids));
  return exampleScalar(schema);
}

function exampleObject({ properties = {}, required = [] }: Schema, document: OpenApi, ids: VictimIds): object {
  const demanded = Object.entries(properties).filter(([name]) => required.includes(name) || name in ID_MEMBERS || FILLED.includes(name));
  const changed = CHANGED.find((name) => name in properties) ?? '';
  const wanted = demanded.length > 0 ? demanded : Object.entries(properties).filter(([name]) => name === changed);
  return Object.fromEntries(wanted.map(([name, schema]) => [name, exampleMember(name, schema, document, ids)]));
}

function exampleMember(name: string, schema: Schema, document: OpenApi, ids: VictimIds): unknown {
  if (ID_MEMBERS[name] !== undefined) return ID_MEMBERS[name](ids);
  if (KNOWN_MEMBERS[name] !== undefined) return KNOWN_MEMBERS[name];
  // A list that must be given is worth more with something in it.
  return example(schema.type === 'array' ? { ...schema, minItems: Math.max(1, schema.minItems ?? 1) } : schema, document, ids);
}

function exampleScalar({ type, format, minimum, minLength }: Schema): unknown {
  if (type === 'integer' || type === 'number') return Math.max(minimum ?? 1, 1) === 1 ? 3 : minimum;
  if (type === 'boolean') return true;
  if (format === 'date-time') return '2099-01-01T00:00:00.000Z';
  return 'example'.padEnd(minLength ?? 0, 'x');
}

/** Not a file, and nothing to be fetched from elsewhere. */
function isPlain({ properties = {}, type }: Schema): boolean {
  return type !== 'null' && !('url' in properties) && !Object.values(properties).some(({ format }) => format === 'binary');
}
