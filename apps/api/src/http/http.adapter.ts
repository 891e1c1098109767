import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isOpenAi, openAiErrorOf, openAiHeaders } from './openai-error';
import { knownError, problemHeaders, problemOf } from './problem';
import { responseHeaders, setResponseHeaders } from './response-headers';
import { answerUnreadable } from './unreadable-request';

const JSON_BYTES = 1_048_576;
const HEADER_BYTES = 16_384;
/** Milliseconds for the headers, and for a whole request: the largest upload over the slowest line. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 900_000;
/** How often the two are looked at. */
const LOOK_MS = 1_000;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Fastify with the limits of the contract; what fails before a route is found is answered as a problem too. */
export function httpAdapter(config: AppConfig): FastifyAdapter {
  const common = responseHeaders(config);
  return new FastifyAdapter({
    // Lenient parsing is how a proxy and this server come to see different requests in the same bytes; a missing Host is refused by the guard.
    http: {
      insecureHTTPParser: false,
      requireHostHeader: false,
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      connectionsCheckingInterval: LOOK_MS,
    },
    requestTimeout: REQUEST_MS,
    bodyLimit: JSON_BYTES,
    requestIdHeader: false,
    genReqId: requestId,
    trustProxy: config.http.trustedProxies.length === 0 ? false : [...config.http.trustedProxies],
    forceCloseConnections: 'idle',
    // What was sent before the close is answered: the database closes after the last answer.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 2_048 },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      setResponseHeaders(common, request, reply);
      const known = knownError(error) ?? new AppError('invalid', 'The request is not valid.');
      const openAi = isOpenAi(request);
      void reply
        .code(known.status)
        .headers(openAi ? openAiHeaders(known) : problemHeaders(known))
        .send(JSON.stringify(openAi ? openAiErrorOf(known) : problemOf(known, request.id)));
    },
    clientErrorHandler: (error, socket) => answerUnreadable(common, error, socket),
  });
}

/** The caller's own id when it is a harmless one, else a new one. */
function requestId(request: { headers: IncomingMessage['headers'] }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}
