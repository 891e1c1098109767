import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isOpenAi, openAiErrorOf, openAiHeaders } from './openai-error';
import { knownError, problemHeaders, problemOf } from './problem';
import { setCommonHeaders } from './response-headers';

const JSON_BYTES = 1_048_576;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Fastify with the limits of the contract; what fails before a route is found is answered as a problem too. */
export function httpAdapter(config: AppConfig): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: JSON_BYTES,
    requestIdHeader: false,
    genReqId: requestId,
    trustProxy: config.http.trustedProxies.length === 0 ? false : [...config.http.trustedProxies],
    forceCloseConnections: 'idle',
    // What was sent before the close is answered: the database closes after the last answer.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 2_048 },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      setCommonHeaders(request, reply);
      const known = knownError(error) ?? new AppError('invalid', 'The request is not valid.');
      const openAi = isOpenAi(request);
      void reply
        .code(known.status)
        .headers(openAi ? openAiHeaders(known) : problemHeaders(known))
        .send(JSON.stringify(openAi ? openAiErrorOf(known) : problemOf(known, request.id)));
    },
    clientErrorHandler: answerUnreadable,
  });
}

/** The caller's own id when it is a harmless one, else a new one. */
function requestId(request: { headers: IncomingMessage['headers'] }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** Bytes that are no HTTP request: there is no request object, only the socket. */
function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const known =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? { status: 431, error: new AppError('too_large', 'The headers are too large.') }
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? { status: 408, error: new AppError('timeout', 'The request did not arrive in time.') }
        : { status: 400, error: new AppError('invalid', 'This is not a valid HTTP request.') };
  const id = randomUUID();
  const body = JSON.stringify({ ...problemOf(known.error, id), status: known.status });
  const headers = {
    ...problemHeaders(known.error),
    connection: 'close',
    'x-request-id': id,
    'content-length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end(
    `HTTP/1.1 ${known.status} ${known.status === 431 ? 'Request Header Fields Too Large' : 'Bad Request'}\r\n${lines.join('\r\n')}\r\n\r\n${body}`,
  );
}
