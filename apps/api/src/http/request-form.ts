import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '@kernel/errors';

/** What names the server, the caller and the body: given twice, a proxy may read the one and this server the other. */
const ONCE = new Set(['host', 'authorization', 'content-type', 'content-length', 'transfer-encoding', 'expect', 'idempotency-key']);
const MOST_HEADERS = 200;

/**
 * Refuses requests that two servers could read differently (RFC 9112, 3.2 and 11.2), by what was sent: Node keeps only one of two headers of a name.
 * Nothing more is read from the connection of such a request, nor from that of one that asks for another protocol: Node drops what stands behind it.
 * Errors: `invalid`; `too_large` for more than 200 headers.
 */
export function checkForm(request: IncomingMessage, answer: ServerResponse): void {
  const fault = formFault(request);
  if (fault !== undefined || request.headers.upgrade !== undefined) answer.shouldKeepAlive = false;
  if (fault !== undefined) throw fault;
}

function formFault({ rawHeaders, headers, url }: IncomingMessage): AppError | undefined {
  if (rawHeaders.length > MOST_HEADERS * 2) return new AppError('too_large', `The request has more than ${MOST_HEADERS} headers.`);
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? '';
    if (!ONCE.has(name)) continue;
    if (seen.has(name)) return new AppError('invalid', `The header ${name} is there twice.`);
    seen.add(name);
  }
  if (!seen.has('host')) return new AppError('invalid', 'The header Host is required.');
  const encoding = headers['transfer-encoding'];
  if (encoding !== undefined && !/^chunked$/i.test(encoding)) return new AppError('invalid', 'The only Transfer-Encoding is chunked.');
  // The absolute form names a host of its own; only proxies are asked so.
  if (url?.startsWith('/') !== true && url !== '*') return new AppError('invalid', 'The target must be a path.');
  if (headers.expect !== undefined && !/^100-continue$/i.test(headers.expect))
    return new AppError('invalid', 'Only 100-continue can be expected of this server.');
  return undefined;
}
