import type { IncomingMessage } from 'node:http';
import { AppError } from '@kernel/errors';

/** What names the server, the caller and the body: given twice, a proxy may read the one and this server the other. */
const ONCE = new Set(['host', 'authorization', 'content-type', 'content-length', 'transfer-encoding', 'expect']);
const MOST_HEADERS = 200;

/**
 * Refuses requests that two servers could read differently (RFC 9112, 3.2 and 11.2), by what was sent: Node keeps only one of two headers of a name.
 * Errors: `invalid`; `too_large` for more than 200 headers.
 */
export function checkForm(request: IncomingMessage): void {
  const { rawHeaders } = request;
  if (rawHeaders.length > MOST_HEADERS * 2) throw new AppError('too_large', `The request has more than ${MOST_HEADERS} headers.`);
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? '';
    if (!ONCE.has(name)) continue;
    if (seen.has(name)) throw new AppError('invalid', `The header ${name} is there twice.`);
    seen.add(name);
  }
  if (!seen.has('host')) throw new AppError('invalid', 'The header Host is required.');
  // The absolute form names a host of its own, and CONNECT nothing else; only proxies are asked so.
  if (request.url?.startsWith('/') !== true && request.url !== '*') throw new AppError('invalid', 'The target must be a path.');
  if (request.headers.expect !== undefined && !/^100-continue$/i.test(request.headers.expect))
    throw new AppError('invalid', 'Only 100-continue can be expected of this server.');
}
