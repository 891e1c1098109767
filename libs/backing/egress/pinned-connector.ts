import type { LookupFunction } from 'node:net';
import type { buildConnector } from 'undici';

/** Answers the addresses that were checked, whatever is asked: there is no second look-up that could answer otherwise. */
export function pinnedLookup(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return (_host, options, callback) => {
    const wanted = found.filter(({ family }) => options.family === undefined || options.family === 0 || options.family === family);
    const [first] = wanted;
    if (first === undefined) callback(Object.assign(new Error('The host has no such address.'), { code: 'ENOTFOUND' }), []);
    else if (options.all === true) callback(null, wanted);
    else callback(null, first.address, first.family);
  };
}

/** A connector that asks once more, with the address at the other end of the socket, before a byte of the request is written. */
export function verified(connect: buildConnector.connector, check: (address: string) => void): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error !== null || socket === null) return callback(error ?? new Error('No connection was made.'), null);
      try {
        check(socket.remoteAddress ?? '');
      } catch (refusal) {
        socket.destroy();
        return callback(refusal as Error, null);
      }
      return callback(null, socket);
    });
}
