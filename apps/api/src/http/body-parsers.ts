import { AppError } from '@kernel/errors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RouteMarks } from './access.decorator';
import { framedBody } from './framed-body';
import { parseJsonBody } from './json-body';
import { JsonThread } from './json-thread';

/** Bytes of JSON from which on the event loop does not read it itself. */
const THREADED_FROM = 262_144;
/** Bytes of JSON that a route accepts unless it is marked otherwise. */
export const JSON_BYTES = 1_048_576;

/**
 * Reads the bodies: JSON everywhere, large ones off the event loop; `application/octet-stream` as a framed body where the route is marked for it (the
 * guard refuses it elsewhere); multipart is read by the routes that take files. An empty JSON body is none.
 */
export function registerBodyParsers(instance: FastifyInstance): void {
  const thread = new JsonThread();
  instance.addHook('onClose', () => thread.close());
  const read = (body: Buffer, pack: boolean): unknown => (body.length > THREADED_FROM ? thread.read(body, pack) : parseJsonBody(body));
  instance.addHook('onRoute', (route) => {
    const { jsonBytes, binaryBytes } = (route.config ?? {}) as RouteMarks;
    const most = Math.max(jsonBytes ?? 0, binaryBytes ?? 0);
    if (most > 0) route.bodyLimit = most;
  });
  instance.removeAllContentTypeParsers();
  instance.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    const marks = request.routeOptions.config as RouteMarks;
    const limit = marks.jsonBytes ?? JSON_BYTES;
    if (body.length > limit)
      throw new AppError('too_large', `The body is larger than the ${limit} bytes that this address accepts as JSON.`);
    if (body.length === 0) return undefined;
    return read(body, marks.packs === true);
  });
  instance.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) =>
    framedBody(body, (header) => read(header, false)),
  );
}
