import ipaddr from 'ipaddr.js';

/** Within `unicast` for the parser, and yet not for us: the wire server of a cloud, and everything of IPv6 that nobody was ever given. */
const WITHHELD: [string, number][] = [
  ['168.63.129.16', 32],
  ['2001::', 23],
  ['2002::', 16],
];
const GLOBAL_UNICAST: [string, number] = ['2000::', 3];

/**
 * Whether an address is one of the public internet: nothing but globally routable unicast is. IPv4 inside IPv6 (mapped, compatible, 6to4,
 * NAT64, Teredo), private, shared, local, documentation, multicast and reserved ranges are not; neither is what cannot be read as an address.
 * Source: the IANA registries of special-purpose addresses (RFC 6890 and its updates).
 */
export function isPublicAddress(address: string): boolean {
  const parsed = parsedAddress(address);
  if (parsed === undefined || parsed.range() !== 'unicast') return false;
  if (parsed.kind() === 'ipv6' && !within(parsed, GLOBAL_UNICAST)) return false;
  return !WITHHELD.some((network) => within(parsed, network));
}

/** An address as it is meant; IPv4 mapped into IPv6 is the IPv4 address, since the system connects to that. Undefined for anything else. */
export function parsedAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  // IPv4-compatible, which this parser takes for mapped and no system does.
  if (/^::\d+\.\d+\.\d+\.\d+$/u.test(bare)) return undefined;
  // The parser also reads shortened and octal IPv4, which a system may read otherwise.
  if (!ipaddr.IPv6.isValid(bare) && !ipaddr.IPv4.isValidFourPartDecimal(bare)) return undefined;
  return ipaddr.process(bare);
}

export function within(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: [string, number]): boolean {
  const start = ipaddr.parse(network);
  return start.kind() === address.kind() && address.match(start, bits);
}
