import type { RedisOptions } from 'ioredis';

const PORT = 6379;

/** What the driver is told of `redis://user:password@host:port/database` (`rediss://` for TLS), so that it never sees the whole address. */
export function redisAddress(url: string): RedisOptions {
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  const database = /^\/(\d{1,4})$/.exec(pathname)?.[1];
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? PORT : Number(port),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(database === undefined ? {} : { db: Number(database) }),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

/** What all names of an installation begin with: `?prefix=NAME` keeps several apart that share a Redis. */
export function redisPrefix(url: string): string {
  const name = new URL(url).searchParams.get('prefix')?.replace(/[^\w-]/g, '') ?? '';
  return name === '' ? 'app:' : `app:${name}:`;
}
