const GROUPS = 8;
const NETWORK_GROUPS = 4;

/** Whose tries are counted together: an IPv4 address; of IPv6 the network of 64 bits, any address of which its holder can take at will. */
export function addressBucket(address: string): string {
  if (!address.includes(':')) return address;
  const [before = '', after] = address.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const filled =
    after === undefined ? head : [...head, ...Array<string>(Math.max(0, GROUPS - head.length - tail.length)).fill('0'), ...tail];
  return `${filled.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}
