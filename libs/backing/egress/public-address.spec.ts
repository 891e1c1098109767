import { BlockList } from 'node:net';
import fc from 'fast-check';
import { isPublicAddress } from './public-address';

/** The IANA registry of special-purpose IPv4 addresses, multicast, and AS112; written down apart from the code under test. */
const SPECIAL_V4 = [
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24',
  '192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32',
].flatMap((line) => line.split(' '));
const special = new BlockList();
for (const range of SPECIAL_V4) {
  const [network = '', bits] = range.split('/');
  special.addSubnet(network, Number(bits), 'ipv4');
}

const v4 = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 });
const dotted = (bytes: number[]): string => bytes.join('.');
const hex = (bytes: number[]): string => {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
};
/** Any address of one of the ranges. */
const inSpecial = fc.tuple(fc.constantFrom(...SPECIAL_V4), v4).map(([range, bytes]) => {
  const [network = '', bits] = range.split('/');
  const start = network.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  const offset = bytes.reduce((sum, part) => sum * 256 + part, 0) % size;
  const address = start + offset;
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256);
});

describe('isPublicAddress', () => {
  it('agrees with the registry on every IPv4 address', () => {
    fc.assert(
      fc.property(fc.oneof(v4, inSpecial), (bytes) => {
        expect([dotted(bytes), isPublicAddress(dotted(bytes))]).toEqual([dotted(bytes), !special.check(dotted(bytes), 'ipv4')]);
      }),
      { numRuns: 3000 },
    );
  });

  it('sees through IPv4 inside IPv6: mapped is judged as IPv4, every other form is never public', () => {
    fc.assert(
      fc.property(fc.oneof(v4, inSpecial), (bytes) => {
        for (const mapped of [`::ffff:${dotted(bytes)}`, `::ffff:${hex(bytes)}`, `[::ffff:${hex(bytes)}]`])
          expect(isPublicAddress(mapped)).toBe(isPublicAddress(dotted(bytes)));
        for (const wrapped of [
          `::${dotted(bytes)}`,
          `64:ff9b::${hex(bytes)}`,
          `64:ff9b:1::${hex(bytes)}`,
          `2002:${hex(bytes)}::1`,
          `2001:0:${hex(bytes)}::1`,
          `::ffff:0:${hex(bytes)}`,
        ])
          expect([wrapped, isPublicAddress(wrapped)]).toEqual([wrapped, false]);
      }),
    );
  });

  it.each([
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    '100::1',
    '2001:2::1',
    '2001:10::1',
    '2001:20::1',
    '2001:db8::1',
    '3fff::1',
    '4000::1',
    '5f00::1',
    '9000::1',
    'e000::1',
  ])('keeps %s out', (address) => expect(isPublicAddress(address)).toBe(false));

  it.each(['', 'localhost', '127.1', '0x7f.0.0.1', '0177.0.0.1', '2130706433', '8.8.8', '8.8.8.8.8', '8.8.8.8/8', ' 8.8.8.8', 'nothing'])(
    'keeps out what is no plain address: "%s"',
    (address) => expect(isPublicAddress(address)).toBe(false),
  );

  it.each(['1.1.1.1', '8.8.8.8', '93.184.216.34', '168.63.129.17', '2606:4700:4700::1111', '2a00:1450:4001:80b::200e'])(
    'knows %s as public',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );
});
