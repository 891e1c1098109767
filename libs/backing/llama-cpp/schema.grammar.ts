/** Repetitions beyond this are not counted by the grammar: llama.cpp unrolls them. */
const MOST_COUNTED = 256;

type Schema = Record<string, unknown>;

const BASICS: Record<string, string> = {
  sp: '" "?',
  char: '[^"\\\\\\x7F\\x00-\\x1F] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})',
  string: '"\\"" char* "\\""',
  integer: '"-"? ("0" | [1-9] [0-9]{0,15})',
  number: 'integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,3})?',
  boolean: '"true" | "false"',
  null: '"null"',
  value: 'object | array | string | number | boolean | null',
  object: '"{" sp (string ":" sp value ("," sp string ":" sp value)*)? "}"',
  array: '"[" sp (value ("," sp value)*)? "]"',
};

/**
 * A GBNF grammar (llama.cpp's form) of the JSON that a JSON Schema allows, without white space but a single space after `:` and `,`. Of an object
 * the required members come first; members that the schema does not name are not made. The schema must have passed `assertAnswerSchema`.
 * Long minima and maxima are left to a check afterwards.
 */
export class SchemaGrammar {
  private readonly rules: string[] = [];

  private constructor() {}

  static of(schema: Schema): string {
    const grammar = new SchemaGrammar();
    const root = grammar.expression(schema);
    const basics = Object.entries(BASICS).map(([name, rule]) => `${name} ::= ${rule}`);
    return [`root ::= ${root}`, ...grammar.rules, ...basics].join('\n');
  }

  private expression(schema: Schema): string {
    if ('const' in schema) return literal(schema.const);
    if (Array.isArray(schema.enum)) return `(${schema.enum.map(literal).join(' | ')})`;
    const choices = schema.oneOf ?? schema.anyOf;
    if (Array.isArray(choices)) return this.rule(choices.map((choice) => this.expression(choice as Schema)).join(' | '));
    const { type } = schema;
    if (Array.isArray(type)) return this.rule(type.map((one) => this.typed(String(one), schema)).join(' | '));
    return this.typed(typeof type === 'string' ? type : typeless(schema), schema);
  }

  private typed(type: string, schema: Schema): string {
    if (type === 'object') return this.object(schema);
    if (type === 'array') return this.array(schema);
    return type === 'string' ? text(schema) : type;
  }

  private object(schema: Schema): string {
    const properties = { ...(schema.properties as Record<string, Schema> | undefined) };
    const required = (schema.required as string[] | undefined) ?? [];
    for (const name of required) properties[name] ??= {};
    const names = Object.keys(properties);
    if (names.length === 0) return this.map(schema.additionalProperties);
    const member = (name: string): string => `${literal(name)} ":" sp ${this.rule(this.expression(properties[name] ?? {}))}`;
    const must = names.filter((name) => required.includes(name)).map(member);
    const may = names.filter((name) => !required.includes(name)).map(member);
    const rest = (from: number): string =>
      may
        .slice(from)
        .map((one) => ` ("," sp ${one})?`)
        .join('');
    if (must.length > 0) return this.rule(`"{" sp ${must.join(' "," sp ')}${rest(0)} sp "}"`);
    return this.rule(`"{" sp (${may.map((one, index) => one + rest(index + 1)).join(' | ')})? sp "}"`);
  }

  private map(values: unknown): string {
    if (values === false) return '"{" sp "}"';
    if (typeof values !== 'object' || values === null) return 'object';
    const value = this.rule(this.expression(values as Schema));
    return this.rule(`"{" sp (string ":" sp ${value} ("," sp string ":" sp ${value})*)? sp "}"`);
  }

  private array(schema: Schema): string {
    const item = schema.items === undefined ? 'value' : this.rule(this.expression(schema.items as Schema));
    const least = counted(schema.minItems) ?? 0;
    const most = counted(schema.maxItems);
    if (most === 0) return '"[" sp "]"';
    const more = `{${Math.max(0, least - 1)},${most === undefined ? '' : Math.max(most, least) - 1}}`;
    const items = `${item} ("," sp ${item})${more}`;
    return this.rule(`"[" sp ${least === 0 ? `(${items})?` : items} sp "]"`);
  }

  private rule(expression: string): string {
    const name = `r${this.rules.length}`;
    this.rules.push(`${name} ::= ${expression}`);
    return name;
  }
}

function typeless(schema: Schema): string {
  if (schema.properties !== undefined || schema.required !== undefined) return 'object';
  return schema.items === undefined ? 'value' : 'array';
}

function text({ minLength, maxLength }: Schema): string {
  const least = counted(minLength) ?? 0;
  const most = counted(maxLength);
  if (least === 0 && most === undefined) return 'string';
  return `"\\"" char{${least},${most === undefined ? '' : Math.max(most, least)}} "\\""`;
}

function counted(value: unknown): number | undefined {
  return typeof value === 'number' && value <= MOST_COUNTED ? value : undefined;
}

/** The JSON of a value as a literal of the grammar. */
function literal(value: unknown): string {
  return `"${JSON.stringify(value).replace(/[\\"]/gu, '\\$&')}"`;
}
