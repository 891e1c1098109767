import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { EgressRules } from '../../../libs/backing/egress/egress.rules';
import { isPublicAddress } from '../../../libs/backing/egress/public-address';

/** Address to whether it is public, by Python's ipaddress (addresses.py makes it). */
const JUDGED = Object.entries(JSON.parse(readFileSync(join(__dirname, 'addresses.json'), 'utf8')) as Record<string, boolean>);
/** Public for Python, and yet never for us: protocol assignments, relays, tunnels that carry IPv4, and a documentation range younger than the Python. */
const STRICTER = /^(?:192\.0\.0\.|192\.88\.99\.|3fff:[0-9a-f]{0,3}:|2001:0?:|2001:[0-9a-f]{1,3}:|2002:|64:ff9b:)/;
/** Outside of 2000::/3 nothing was ever given to anybody. */
const GIVEN = /^[23][0-9a-f]{3}:/;

const rules = new EgressRules([]);
const goes = (url: string): boolean => {
  try {
    rules.checked(url);
    return true;
  } catch {
    return false;
  }
};

const bytes = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
type Bytes = [number, number, number, number];
const whole = ([a, b, c, d]: Bytes): number => a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
const wide = (text: string): string =>
  text.replaceAll(/[0-9]/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))).replaceAll('.', '。');
const circled = (text: string): string => text.replaceAll(/[1-9]/g, (digit) => String.fromCodePoint(0x2460 + Number(digit) - 1));
const radix = (part: number, base: 8 | 10 | 16): string => ({ 8: '0', 10: '', 16: '0x' })[base] + part.toString(base);

/** How browsers and resolvers let one IPv4 address be written. */
const SPELLINGS: Record<string, (address: Bytes) => string> = {
  decimal: (address) => String(whole(address)),
  hexadecimal: (address) => `0x${whole(address).toString(16)}`,
  octal: (address) => `0${whole(address).toString(8)}`,
  'three parts': ([a, b, c, d]) => `${a}.${b}.${c * 256 + d}`,
  'two parts': ([a, b, c, d]) => `${a}.${b * 65_536 + c * 256 + d}`,
  'hexadecimal parts': (address) => address.map((part) => radix(part, 16)).join('.'),
  'octal parts': (address) => address.map((part) => radix(part, 8)).join('.'),
  'mixed parts': (address) => address.map((part, at) => radix(part, ([8, 10, 16] as const)[at % 3] ?? 10)).join('.'),
  'a dot at its end': (address) => `${address.join('.')}.`,
  'wide digits': (address) => wide(address.join('.')),
  'circled digits': (address) => circled(address.join('.')),
  'percent escapes': (address) => address.join('.').replaceAll(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`),
  'leading zeros': (address) => address.map((part) => radix(part, 8).padStart(8, '0')).join('.'),
  'a user before it': (address) => `example.org@${address.join('.')}`,
};

describe('A01, A10 addresses', () => {
  it('A01, A10 are public for us only where Python says so too', () => {
    const more = JUDGED.filter(([address, verdict]) => isPublicAddress(address) && !verdict).map(([address]) => address);
    expect(more).toEqual([]);
  });

  it('A10 are withheld beyond Python only where a list says why', () => {
    const fewer = JUDGED.filter(([address, verdict]) => verdict && !isPublicAddress(address)).map(([address]) => address);
    const unexplained = fewer.filter((address) => !STRICTER.test(address) && (!address.includes(':') || GIVEN.test(address)));
    expect(unexplained).toEqual([]);
  });

  it.each(Object.entries(SPELLINGS))('A10 of IPv4 written as %s are judged as what they mean', (name, spell) => {
    fc.assert(
      fc.property(bytes, (address) => {
        const url = `http://${spell(address)}/`;
        // A user name is refused for itself.
        const wanted = name !== 'a user before it' && isPublicAddress(address.join('.'));
        expect([url, goes(url)]).toEqual([url, wanted]);
      }),
      { numRuns: 300, examples: [[[127, 0, 0, 1]], [[169, 254, 169, 254]], [[10, 0, 0, 1]], [[1, 1, 1, 1]], [[0, 0, 0, 0]]] },
    );
  });

  it('A01, A10 of IPv6 in brackets are judged the same in a URL', () => {
    for (const [address] of JUDGED.filter(([text]) => text.includes(':')))
      expect([address, goes(`http://[${address}]/`)]).toEqual([address, isPublicAddress(address)]);
  });
});
