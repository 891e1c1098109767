import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';

/** A part of a form: its name, and SHA-256 (hex) of its content. */
export type FormPart = [name: string, sha256: string];

/** SHA-256 of what a request asks for: method, route with its parameters, query and decoded body, however they were written; of a form its parts. */
export function fingerprint(request: FastifyRequest, parts?: FormPart[]): Buffer {
  const { method, routeOptions, params, query, body } = request;
  const content = parts === undefined ? [body] : { parts: [...parts].sort(([a], [b]) => (a < b ? -1 : 1)) };
  return createHash('sha256')
    .update(canonical([method, routeOptions.url, params, query, content]))
    .digest();
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** JSON whose members stand in one order at every depth; what JSON cannot say is left out as usual. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (isRecord(inner) ? sorted(inner) : inner)) ?? 'null';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without a prototype: a member of any name is one. */
function sorted(record: Record<string, unknown>): Record<string, unknown> {
  const ordered = Object.create(null) as Record<string, unknown>;
  for (const name of Object.keys(record).sort()) ordered[name] = record[name];
  return ordered;
}
