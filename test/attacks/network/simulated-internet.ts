import { connect, isIP, type LookupFunction } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { HostResolver, SocketConnector } from '@backing/egress';
import { AppError } from '@kernel/errors';
import type { buildConnector } from 'undici';
import type { CanaryHttp } from './canary-http';

/**
 * The internet as a test tells it: names lead where its table says, and every socket, whatever address it is for, ends at the canary on loopback and
 * is written down. No packet leaves the machine.
 */
export class SimulatedInternet {
  /** Addresses of each name; the answers are given one after the other, the last one for good. */
  readonly names: Record<string, string[][]> = {};
  /** Names that were asked for. */
  asked: string[] = [];
  /** `address:port` of every connection that was begun. */
  dialled: string[] = [];
  /** What sockets say that is at their other end, in place of the truth. */
  otherEnd?: string;

  constructor(private readonly canary: CanaryHttp) {}

  readonly resolver: HostResolver = { resolve: async (host) => this.resolved(host) };
  readonly connector: SocketConnector = { connector: async (lookup) => this.connecting(lookup) };

  /** Takes the place of the real resolver and connector of an application. */
  serve(app: INestApplication): this {
    Object.assign(app.get(HostResolver, { strict: false }), this.resolver);
    Object.assign(app.get(SocketConnector, { strict: false }), this.connector);
    return this;
  }

  forget(): void {
    for (const name of Object.keys(this.names)) delete this.names[name];
    this.asked = [];
    this.dialled = [];
    this.otherEnd = undefined;
  }

  private resolved(host: string): string[] {
    this.asked.push(host);
    const answers = this.names[host];
    const answer = answers !== undefined && answers.length > 1 ? answers.shift() : answers?.[0];
    if (answer === undefined) throw new AppError('unprocessable', 'url: no such host was found.');
    return answer;
  }

  private connecting(lookup: LookupFunction): buildConnector.connector {
    return ({ hostname, port }, callback) => {
      const dial = (address: string): void => {
        this.dialled.push(`${address}:${port === '' ? 80 : port}`);
        const socket = connect(this.canary.port, '127.0.0.1');
        Object.defineProperty(socket, 'remoteAddress', { value: this.otherEnd ?? address });
        socket.once('connect', () => callback(null, socket)).once('error', (error) => callback(error, null));
      };
      const bare = hostname.replace(/^\[(.*)\]$/u, '$1');
      if (isIP(bare) !== 0) return dial(bare);
      lookup(hostname, { all: true }, (error, found) => {
        const [first] = Array.isArray(found) ? found : [];
        if (error !== null || first === undefined) callback(error ?? new Error('Nothing was found.'), null);
        else dial(first.address);
      });
    };
  }
}
