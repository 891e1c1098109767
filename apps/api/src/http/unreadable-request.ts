import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '@kernel/errors';
import { problemHeaders, problemOf } from './problem';
import type { ResponseHeaders } from './response-headers';

/** How long the other side may take to read why, before its connection is cut. */
const LINGER_MS = 1_000;

/** The error that Node gives for a request that did not arrive in time. */
export const REQUEST_TIMEOUT = 'ERR_HTTP_REQUEST_TIMEOUT';

/** Answers bytes that are no HTTP request, or only a part of one: there is no request object, only the socket, which is closed. */
export function answerUnreadable(common: ResponseHeaders, error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) return void socket.destroy();
  const { status, known } = faultOf(error.code);
  const id = randomUUID();
  const body = JSON.stringify({ ...problemOf(known, id), status });
  const headers = {
    ...common,
    ...problemHeaders(known),
    connection: 'close',
    'x-request-id': id,
    'content-length': String(Buffer.byteLength(body)),
    date: new Date().toUTCString(),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const late = setTimeout(() => socket.destroy(), LINGER_MS);
  late.unref();
  socket.once('close', () => clearTimeout(late));
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}

/** Whether an answer has begun, or is still to come for an earlier request of this connection: another one would be taken for it. */
function isAnswering(socket: Socket): boolean {
  const { _httpMessage: answer } = socket as Socket & { _httpMessage?: ServerResponse | null };
  return answer !== undefined && answer !== null && (answer.headersSent || answer.req.complete);
}

function faultOf(code: string | undefined): { status: number; known: AppError } {
  if (code === 'HPE_HEADER_OVERFLOW') return { status: 431, known: new AppError('too_large', 'The headers are too large.') };
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return { status: 413, known: new AppError('too_large', 'The extensions of a chunk are too large.') };
  if (code === REQUEST_TIMEOUT) return { status: 408, known: new AppError('timeout', 'The request did not arrive in time.') };
  return { status: 400, known: new AppError('invalid', 'This is not a valid HTTP request.') };
}
