// Who asks: mostly the owner of what is there, and everybody who must not get in.
import { Client } from '../../../scripts/client.mjs';

const PASSWORD = 'a long enough password';

/** Kinds of callers with how often each asks, of 100. */
const SHARES = [
  ['owner', 70],
  ['key', 10],
  ['stranger', 8],
  ['none', 4],
  ['garbage', 3],
  ['tampered', 3],
  ['ended', 2],
];
/** Whose requests are never to be answered by anything but 401, where a token is asked for. */
export const OUTSIDERS = ['none', 'garbage', 'tampered', 'ended'];

export class Callers {
  constructor(nursery) {
    this.nursery = nursery;
  }

  async begin(seed) {
    const url = this.nursery.client.url;
    const stranger = new Client(url);
    await stranger.register(`stranger-${seed}@example.org`, PASSWORD);
    const scopes = [
      'chat',
      'documents:read',
      'documents:write',
      'vectors:read',
      'vectors:write',
      'agents:read',
      'agents:write',
      'jobs:read',
    ];
    this.stranger = (await stranger.json('POST', '/api/v1/auth/keys', { name: 'stranger', scopes })).secret;
    this.key = (await this.nursery.client.json('POST', '/api/v1/auth/keys', { name: 'driver', scopes })).secret;
    const ended = new Client(url);
    await ended.login(`stranger-${seed}@example.org`, PASSWORD);
    await ended.request('POST', '/api/v1/auth/logout');
    this.ended = ended.token;
  }

  kind(number) {
    let rest = number % 100;
    return SHARES.find(([, share]) => (rest -= share) < 0)[0];
  }

  /** The value of the header Authorization. */
  header(kind, operation) {
    if (kind === 'none') return undefined;
    if (kind === 'garbage') return 'Bearer not-a-token';
    return `Bearer ${this.#token(kind, operation)}`;
  }

  #token(kind, { path }) {
    const owners = path === '/api/v1/auth/logout' ? this.nursery.throwaway[0] : this.nursery.client.token;
    if (kind === 'tampered') return tampered(owners);
    return { owner: owners, key: this.key, stranger: this.stranger, ended: this.ended }[kind];
  }
}

/** The same token with one character of its signature changed; not the last, whose low bits mean nothing. */
function tampered(token) {
  const at = token.length - 8;
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
}
