import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { beforeAbort } from '@kernel/calls';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { Client, Dispatcher } from 'undici';
import { dispositionName } from './content-disposition';
import { decodedBody } from './decoded-body';
import { networkFault, statusFault } from './egress-faults';
import { EgressRules, hostOf } from './egress.rules';
import { HostResolver } from './host-resolver.service';
import { parsedAddress } from './public-address';
import { pinnedLookup, verified } from './pinned-connector';
import { SocketConnector } from './socket-connector.service';

const MOST_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const HEADER_BYTES = 32_768;

export interface FetchLimits {
  /** As it comes over the wire. */
  maxBytes: number;
  /** As it is once unpacked; `maxBytes` when unset. */
  maxDecodedBytes?: number;
  /** For everything together: look-ups, redirects and the last byte. */
  seconds: number;
  /** Header `Accept`. */
  accept?: string;
  signal: AbortSignal;
}

/** A document on its way. The content must be read or destroyed; it fails with an AppError. */
export interface FetchedContent {
  /** After redirects. */
  url: string;
  /** Header `Content-Type` as it came: a claim, no more. */
  contentType: string | null;
  /** File name that the sender proposes, as it came. */
  fileName: string | null;
  content: Readable;
}

interface Hop {
  url: URL;
  limits: FetchLimits;
  signal: AbortSignal;
}

/**
 * The only way out to addresses that users name. Each hop is resolved here, all its addresses are judged, the connection goes to one of
 * them and is judged again before the request is written; each redirect (at most 5) is a new hop. No cookies, no credentials, no proxies.
 * Errors: `egress_blocked`, `too_large`, `timeout`, `unavailable` (may pass), `unprocessable` (the answer is no document).
 */
@Injectable()
export class EgressClient {
  private readonly rules: EgressRules;

  constructor(
    config: AppConfig,
    private readonly resolver: HostResolver,
    private readonly connector: SocketConnector,
  ) {
    this.rules = new EgressRules(config.egress.allow);
  }

  /** Refuses at once what can be refused without a look-up; answers the address in its normal form. */
  check(url: string): string {
    return this.rules.checked(url).href;
  }

  async fetch(url: string, limits: FetchLimits): Promise<FetchedContent> {
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new AppError('timeout', `The address took longer than ${limits.seconds} seconds.`)),
      limits.seconds * 1000,
    );
    const signal = AbortSignal.any([limits.signal, late.signal]);
    try {
      const found = await this.follow({ url: this.rules.checked(url), limits, signal });
      found.content.once('close', () => clearTimeout(timer));
      return found;
    } catch (error) {
      clearTimeout(timer);
      throw networkFault(error, signal);
    }
  }

  private async follow(first: Hop): Promise<FetchedContent> {
    let hop = first;
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
      const client = await this.connected(hop);
      const next = await this.answered(client, hop).catch((error: unknown) => {
        void client.destroy();
        throw error;
      });
      if (!(next instanceof URL)) return next;
      await client.destroy();
      hop = { ...hop, url: next };
    }
    throw new AppError('unprocessable', `The address redirects more than ${MOST_REDIRECTS} times.`);
  }

  /** A client of its own for each hop, tied to the addresses that were judged for it. */
  private async connected({ url, limits, signal }: Hop): Promise<Client> {
    const { Client } = await import('undici');
    const host = hostOf(url.hostname);
    signal.throwIfAborted();
    // A look-up cannot be called back; whoever waits for it can.
    const addresses = parsedAddress(host) === undefined ? await beforeAbort(this.resolver.resolve(host), signal) : [host];
    this.rules.check(url, addresses);
    const timeout = limits.seconds * 1000;
    const connect = await this.connector.connector(pinnedLookup(addresses), timeout);
    return new Client(url.origin, {
      connect: verified(connect, (address) => this.rules.check(url, [address])),
      allowH2: false,
      pipelining: 1,
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    });
  }

  private async answered(client: Client, { url, limits, signal }: Hop): Promise<FetchedContent | URL> {
    signal.throwIfAborted();
    const answer = await client.request({
      method: 'GET',
      path: url.pathname + url.search,
      signal,
      headers: { accept: limits.accept ?? '*/*', 'accept-encoding': 'gzip, deflate, br', 'user-agent': 'SutazAI' },
    });
    const location = header(answer, 'location');
    answer.body.on('error', () => undefined);
    if (REDIRECTS.has(answer.statusCode) && location !== undefined) return this.rules.checked(location, url);
    const fault = statusFault(answer.statusCode) ?? sizeFault(header(answer, 'content-length'), limits.maxBytes);
    if (fault !== undefined) throw fault;
    const content = Readable.from(translated(answer, limits, signal), { objectMode: false });
    content.once('close', () => void client.destroy());
    return {
      url: url.href,
      contentType: header(answer, 'content-type') ?? null,
      fileName: dispositionName(header(answer, 'content-disposition')),
      content,
    };
  }
}

async function* translated(answer: Dispatcher.ResponseData, limits: FetchLimits, signal: AbortSignal): AsyncGenerator<Buffer> {
  const sizes = { maxBytes: limits.maxBytes, maxDecodedBytes: limits.maxDecodedBytes ?? limits.maxBytes };
  try {
    yield* decodedBody(answer.body, header(answer, 'content-encoding'), sizes);
  } catch (error) {
    throw networkFault(error, signal);
  }
}

function header(answer: Dispatcher.ResponseData, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function sizeFault(length: string | undefined, most: number): AppError | undefined {
  return Number(length ?? 0) > most ? new AppError('too_large', `The content is larger than ${most} bytes.`) : undefined;
}
