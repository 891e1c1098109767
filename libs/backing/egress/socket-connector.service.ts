import type { LookupFunction } from 'node:net';
import { Injectable } from '@nestjs/common';
import type { buildConnector } from 'undici';

/** Opens the connections of the egress client: the one place where a socket to somebody else's machine begins. */
@Injectable()
export class SocketConnector {
  /** `lookup` answers where a name leads to; `milliseconds` for connecting and for the handshake of TLS. */
  async connector(lookup: LookupFunction, milliseconds: number): Promise<buildConnector.connector> {
    const { buildConnector } = await import('undici');
    return buildConnector({ allowH2: false, timeout: milliseconds, lookup });
  }
}
