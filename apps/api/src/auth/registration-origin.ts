import type { RegistrationOrigin } from '@features/auth';
import type { FastifyRequest } from 'fastify';
import { clientAddress } from '../http/client-address';

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
const LOOPBACK_ADDRESS = /^(127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/;
/** What proxies add; a name is enough, whatever it says. */
const FORWARDING = /^(forwarded|via|x-forwarded(-.+)?|x-real-ip|x-client-ip|x-original-.+|true-client-ip|cf-.+)$/;

/** Where a registration comes from: local only when nothing between the client and this loopback-only server can have changed hands. */
export function registrationOrigin(request: FastifyRequest, loopbackOnly: boolean): RegistrationOrigin {
  const forwarded = Object.keys(request.headers).some((name) => FORWARDING.test(name));
  const local =
    loopbackOnly &&
    !forwarded &&
    LOOPBACK_HOST.test(request.headers.host ?? '') &&
    LOOPBACK_ADDRESS.test(request.raw.socket.remoteAddress ?? '');
  return { address: clientAddress(request), local };
}
