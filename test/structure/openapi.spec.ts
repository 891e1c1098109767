import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const text = readFileSync(join(__dirname, '..', '..', 'deploy', 'openapi.json'), 'utf8');

interface Answer {
  content?: Record<string, { schema?: unknown }>;
}

interface Operation {
  parameters?: { in: string }[];
  responses: Record<string, Answer>;
}

const document = JSON.parse(text) as { components: { schemas: Record<string, object> }; paths: Record<string, Record<string, Operation>> };
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ label: `${method.toUpperCase()} ${path}`, operation })),
);

describe('the OpenAPI document', () => {
  it('refers to nothing that it does not hold', () => {
    const references = new Set([...text.matchAll(/"\$ref": "([^"]*)"/g)].map(([, reference]) => reference ?? ''));
    const names = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect([...references].filter((reference) => !names.includes(reference))).toEqual([]);
    expect(references.size).toBeGreaterThan(50);
  });

  it('gives a stream no shape of a whole answer, and promises none where work is only accepted', () => {
    const streams = operations.flatMap(({ label, operation }) =>
      Object.entries(operation.responses).flatMap(([status, { content }]) =>
        content?.['text/event-stream'] === undefined ? [] : [{ label, status, schema: content['text/event-stream'].schema }],
      ),
    );
    expect(streams.length).toBeGreaterThan(2);
    expect(streams.filter(({ status, schema }) => status !== '200' || schema !== undefined)).toEqual([]);
  });

  it('tells the refusal of U+0000 on every route of the native API', () => {
    const silent = operations.filter(({ label, operation }) => !label.includes(' /v1/') && operation.responses['422'] === undefined);
    expect(silent.map(({ label }) => label)).toEqual([]);
  });
});
