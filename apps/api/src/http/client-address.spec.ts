import type { FastifyRequest } from 'fastify';
import { clientAddress } from './client-address';

const from = (ip: string | undefined, remoteAddress?: string): FastifyRequest => ({ ip, socket: { remoteAddress } }) as FastifyRequest;

describe('clientAddress', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['[::1]:443', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('spells %s as %s', (ip, address) => expect(clientAddress(from(ip))).toBe(address));

  it('takes the connection where a proxy says nothing that is an address', () => {
    expect(clientAddress(from('unix:', '10.0.0.1'))).toBe('10.0.0.1');
  });

  it('knows none of a connection that is gone', () => {
    expect(clientAddress(from(undefined))).toBe('unknown');
  });
});
