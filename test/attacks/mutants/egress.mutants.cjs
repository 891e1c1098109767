// Guards of the way out: libs/backing/egress.
const CLIENT = 'libs/backing/egress/egress.client.ts';
const RULES = 'libs/backing/egress/egress.rules.ts';
const ADDRESS = 'libs/backing/egress/public-address.ts';
const BODY = 'libs/backing/egress/decoded-body.ts';
const ssrf = (guard, cases, file, find, replace) => ({ guard, file, find, replace, spec: 'cases/ssrf', cases });
const bounds = (guard, cases, file, find, replace) => ({ guard, file, find, replace, spec: 'cases/egress-bounds', cases });

module.exports = [
  ssrf('egress-redirect', ['A04'], CLIENT, 'return this.rules.checked(location, url);', 'return new URL(location, url);'),
  ssrf('egress-hops', ['A04'], CLIENT, 'const MOST_REDIRECTS = 5;', 'const MOST_REDIRECTS = 50;'),
  ssrf('egress-resolved-addresses', ['A02', 'A07'], CLIENT, '    this.rules.check(url, addresses);\n', ''),
  ssrf(
    'egress-pin',
    ['A08'],
    CLIENT,
    'pinnedLookup(addresses)',
    '(_host, _options, done) => void this.resolver.resolve(host).then((found) => done(null, found.map((address) => ({ address, family: 4 }))))',
  ),
  ssrf('egress-other-end', ['A08'], CLIENT, 'connect: verified(connect, (address) => this.rules.check(url, [address])),', 'connect,'),
  ssrf('egress-special-ranges', ['A10'], ADDRESS, "parsed.range() !== 'unicast'", "parsed.range() === 'private'"),
  ssrf('egress-withheld-addresses', ['A10'], ADDRESS, '!WITHHELD.some((network) => within(parsed, network))', 'true'),
  ssrf('egress-given-ipv6', ['A10'], ADDRESS, "  if (parsed.kind() === 'ipv6' && !within(parsed, GLOBAL_UNICAST)) return false;\n", ''),
  ssrf(
    'egress-every-address',
    ['A07'],
    RULES,
    'others.some((address) => !isPublicAddress(address))',
    'others.every((address) => !isPublicAddress(address))',
  ),
  ssrf('egress-port', ['A10'], RULES, 'if (others.length > 0 && !usualPort(url)) throw wrongPort();', ''),
  ssrf('egress-scheme', ['A01'], RULES, "if (url.protocol !== 'http:' && url.protocol !== 'https:')", 'if (false)'),
  ssrf('egress-credentials', ['A26'], RULES, "if (url.username !== '' || url.password !== '')", 'if (false)'),
  ssrf(
    'egress-whole-names',
    ['A25'],
    RULES,
    'addresses: readonly string[]): void {\n    if (this.hosts.has(hostOf(url.hostname))) return;',
    'addresses: readonly string[]): void {\n    if ([...this.hosts].some((host) => url.hostname.endsWith(host))) return;',
  ),
  ssrf('egress-network-bits', ['A25'], ADDRESS, 'address.match(start, bits)', 'address.toString().startsWith(network.slice(0, -1))'),
  bounds('egress-decoded-size', ['K08'], BODY, 'yield* bounded(decoder, limits.maxDecodedBytes);', 'yield* decoder;'),
  bounds('egress-size', ['K08'], BODY, 'const packed = bounded(raw, limits.maxBytes);', 'const packed = raw;'),
  bounds('egress-announced-size', ['K08'], CLIENT, " ?? sizeFault(header(answer, 'content-length'), limits.maxBytes)", ''),
  bounds('egress-time', ['K08', 'A04'], CLIENT, 'AbortSignal.any([limits.signal, late.signal])', 'limits.signal'),
  bounds('egress-packing', ['K08'], BODY, 'Object.hasOwn(DECODERS, name) ? DECODERS[name]?.() : undefined', 'DECODERS[name]?.()'),
  bounds('egress-headers', ['K08'], CLIENT, 'const HEADER_BYTES = 32_768;', 'const HEADER_BYTES = 32_768_000;'),
];
