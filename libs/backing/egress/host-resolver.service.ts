import { lookup } from 'node:dns/promises';
import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';

/** Looks up the addresses of a host as the system does. Errors: `unprocessable` for a host that is not there, `unavailable` when nobody can tell. */
@Injectable()
export class HostResolver {
  async resolve(host: string): Promise<string[]> {
    try {
      return (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTFOUND' || code === 'ENODATA') throw new AppError('unprocessable', 'url: no such host was found.', { cause: error });
      throw new AppError('unavailable', 'The name of the host cannot be looked up now.', { cause: error });
    }
  }
}
