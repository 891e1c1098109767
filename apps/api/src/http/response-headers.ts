import type { AppConfig } from '@kernel/config';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What a page made of an answer may do: nothing. `sandbox` gives it an origin of its own and no scripts, should a browser ever show it. */
const POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";
const FEATURES = ['camera', 'display-capture', 'geolocation', 'microphone', 'payment', 'usb'];
const TWO_YEARS = 63_072_000;

export type ResponseHeaders = Readonly<Record<string, string>>;

/**
 * Headers of every answer, after OWASP's cheat sheets "REST Security" and "HTTP Headers". `Strict-Transport-Security` only where PUBLIC_URL is
 * https: elsewhere browsers ignore it, or would lose the server.
 */
export function responseHeaders({ http }: AppConfig): ResponseHeaders {
  return {
    'cache-control': 'no-store',
    'content-security-policy': POLICY,
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': FEATURES.map((feature) => `${feature}=()`).join(', '),
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'x-permitted-cross-domain-policies': 'none',
    ...(http.publicUrl.startsWith('https:') ? { 'strict-transport-security': `max-age=${TWO_YEARS}; includeSubDomains` } : {}),
  };
}

/** Puts them on the raw response, so that streams written past Fastify carry them too; a route's own headers win. */
export function setResponseHeaders(headers: ResponseHeaders, request: FastifyRequest, reply: FastifyReply): void {
  for (const name in headers) reply.raw.setHeader(name, headers[name] ?? '');
  reply.raw.setHeader('x-request-id', request.id);
}
