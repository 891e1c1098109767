import { AppError } from '@kernel/errors';
import { isPublicAddress, parsedAddress, within } from './public-address';

const PORTS: Record<string, number> = { 'http:': 80, 'https:': 443 };
const LONGEST_URL = 2048;
/** Names that every system resolves to itself (RFC 6761). */
const LOCAL_NAME = /(?:^|\.)localhost$/u;
const LOOPBACK = ['127.0.0.1', '::1'];

/**
 * Where the platform may go by itself: public addresses on ports 80 and 443, and whatever `EGRESS_ALLOW` names, on any port: host names,
 * compared whole, and networks, compared by their bits. Every refusal is `egress_blocked` and repeats only what the caller wrote.
 */
export class EgressRules {
  private readonly hosts = new Set<string>();
  private readonly networks: [string, number][] = [];

  constructor(allow: readonly string[]) {
    for (const entry of allow) {
      const network = networkOf(entry);
      if (network === undefined) this.hosts.add(hostOf(entry.toLowerCase()));
      else this.networks.push(network);
    }
  }

  /** What can be said without asking anybody: scheme, credentials, port, and addresses that are written out. */
  checked(text: string, base?: URL): URL {
    const url = parsedUrl(text, base);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw blocked('only http and https addresses can be read.');
    if (url.username !== '' || url.password !== '') throw blocked('an address must not carry a user name or a password.');
    const host = hostOf(url.hostname);
    if (this.hosts.has(host)) return url;
    if (parsedAddress(host) !== undefined) this.check(url, [host]);
    else if (LOCAL_NAME.test(host) && !LOOPBACK.some((address) => this.inNetwork(address))) throw notPublic();
    else if (!usualPort(url) && this.networks.length === 0) throw wrongPort();
    return url;
  }

  /** Every address that a host has must be allowed, not only the one that would be used. */
  check(url: URL, addresses: readonly string[]): void {
    if (this.hosts.has(hostOf(url.hostname))) return;
    const others = addresses.filter((address) => !this.inNetwork(address));
    if (addresses.length === 0 || others.some((address) => !isPublicAddress(address))) throw notPublic();
    if (others.length > 0 && !usualPort(url)) throw wrongPort();
  }

  private inNetwork(address: string): boolean {
    const parsed = parsedAddress(address);
    return parsed !== undefined && this.networks.some((network) => within(parsed, network));
  }
}

/** A host as it is compared: without brackets and without the dot at its end. */
export function hostOf(hostname: string): string {
  const bare = hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
  return bare.endsWith('.') ? bare.slice(0, -1) : bare;
}

function networkOf(entry: string): [string, number] | undefined {
  const [text = '', bits, ...rest] = entry.split('/');
  const address = parsedAddress(text);
  if (address === undefined || rest.length > 0) return undefined;
  const all = address.kind() === 'ipv4' ? 32 : 128;
  // A network that was written as IPv4 inside IPv6 counts its bits from there.
  const mapped = all === 32 && text.includes(':') ? 96 : 0;
  return [address.toString(), bits === undefined ? all : Math.max(0, Number(bits) - mapped)];
}

function parsedUrl(text: string, base?: URL): URL {
  if (text.length > LONGEST_URL) throw blocked(`an address has at most ${LONGEST_URL} characters.`);
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  if (url === undefined) throw blocked('this is not an address (a URL beginning with https:// or http://).');
  url.hash = '';
  return url;
}

function usualPort(url: URL): boolean {
  return url.port === '' || Number(url.port) === PORTS[url.protocol];
}

const notPublic = (): AppError => blocked('it leads to an address that is not public; an administrator can allow it in EGRESS_ALLOW.');
const wrongPort = (): AppError => blocked('only ports 80 and 443 may be reached; an administrator can allow more in EGRESS_ALLOW.');

function blocked(why: string): AppError {
  return new AppError('egress_blocked', `url: ${why}`, { errors: [{ path: 'url', message: why }] });
}
