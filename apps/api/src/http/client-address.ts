import { isIPv4, isIPv6 } from 'node:net';
import type { FastifyRequest } from 'fastify';

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/**
 * The client's address in one spelling: IPv4 however it was mapped into IPv6, without a port or zone. `TRUSTED_PROXIES` alone say whom they speak
 * for, with the last address that is not theirs; when that is none, the proxy's own counts.
 */
export function clientAddress(request: FastifyRequest): string {
  // Of a connection that broke off while its request was read there is none.
  const { ip = '' } = request as { ip?: string };
  return plainAddress(ip) ?? plainAddress(request.socket.remoteAddress ?? '') ?? 'unknown';
}

function plainAddress(written: string): string | undefined {
  const bare = written.replace(/^\[([^\]]*)\](?::\d{1,5})?$/, '$1').replace(/^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/, '$1');
  if (isIPv4(bare)) return bare;
  const address = bare.replace(/%.*$/, '');
  if (!isIPv6(address)) return undefined;
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = MAPPED.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  const bits = Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
}
