// The OpenAPI document as what a fuzzer needs: operations with the schemas of what they take, and validators for what they answer.
import Ajv from 'ajv';

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const DOCUMENT = 'api';

/** A schema of OpenAPI 3.0 as JSON Schema: `nullable` and exclusive bounds are written differently there, and references lead into one document. */
function jsonSchema(value) {
  if (Array.isArray(value)) return value.map(jsonSchema);
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, example: _example, ...rest } = value;
  const schema = Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, jsonSchema(inner)]));
  if (schema.exclusiveMinimum === true) {
    schema.exclusiveMinimum = schema.minimum;
    delete schema.minimum;
  }
  if (typeof schema.$ref === 'string') schema.$ref = schema.$ref.replace(/^#/, `${DOCUMENT}#`);
  return nullable === true ? { anyOf: [schema, { type: 'null' }] } : schema;
}

export class OpenApi {
  constructor(document) {
    this.schemas = document.components.schemas;
    this.ajv = new Ajv({ strict: false, validateFormats: false, allErrors: false });
    this.ajv.addSchema({ $id: DOCUMENT, components: { schemas: jsonSchema(this.schemas) } });
    this.operations = Object.entries(document.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method] !== undefined).map((method) => this.#operation(method.toUpperCase(), path, item[method])),
    );
  }

  /** The schema that a reference of the document means. */
  resolve(reference) {
    return this.schemas[reference.slice(reference.lastIndexOf('/') + 1)];
  }

  validator(schema) {
    return this.ajv.compile(jsonSchema(schema));
  }

  #operation(method, path, { parameters = [], requestBody, responses, security = [] }) {
    const bodies = Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) => ({
      type,
      schema,
      validate: type === 'application/json' ? this.validator(schema) : undefined,
    }));
    const answers = new Map(
      Object.entries(responses).map(([status, { content }]) => [
        Number(status),
        content === undefined
          ? undefined
          : new Map(Object.entries(content).map(([type, { schema }]) => [type, schema === undefined ? undefined : this.validator(schema)])),
      ]),
    );
    const streams = [...answers.values()].some((types) => types?.has('text/event-stream') === true);
    return { streams, label: `${method} ${path}`, method, path, parameters, bodies, answers, private: security.length > 0 };
  }
}
