import { randomBytes } from 'node:crypto';
import { MemoryLimits } from '@backing/memory';
import { PrometheusMetrics } from '@backing/prometheus';
import type { Authenticator } from '@features/auth';
import type { Budgets } from '@features/usage';
import { parseConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { type Principal, SCOPES } from '@kernel/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RouteAccess, RouteMarks } from '../../../apps/api/src/http/access.decorator';
import { RequestGuard } from '../../../apps/api/src/http/request.guard';

/** Who may do anything; each row takes away one thing. */
const ALMIGHTY: Principal = { kind: 'user', userId: 'u', workspaceId: 'w', role: 'owner', instanceAdmin: true, scopes: new Set(SCOPES) };
const READS: RouteAccess = { public: false, scopes: 'any', role: 'viewer' };

interface Asked {
  marks: RouteMarks;
  principal?: Partial<Principal>;
  headers?: Record<string, string>;
  /** HOST of the server. */
  host?: string;
}

/** What the guard does about a request, by the code of its error. Without a principal there is no token that anybody has. */
async function outcome({ marks, principal, headers = {}, host = '127.0.0.1' }: Asked): Promise<string> {
  const authenticator = {
    authenticate: async () => {
      if (principal === undefined) throw new AppError('unauthenticated', 'Nobody.');
      return { ...ALMIGHTY, ...principal };
    },
  } as unknown as Authenticator;
  const config = parseConfig({
    HOST: host,
    PUBLIC_HOSTS: 'localhost',
    JWT_SECRET: randomBytes(24).toString('base64url'),
    SETUP_TOKEN: randomBytes(24).toString('base64url'),
  });
  const guard = new RequestGuard(config, authenticator, new MemoryLimits(), {} as Budgets, new PrometheusMetrics());
  const sent = { host: 'localhost', ...headers };
  const rawHeaders = Object.entries(sent).flat();
  const request = {
    is404: false,
    headers: sent,
    raw: { url: '/', headers: sent, rawHeaders },
    routeOptions: { config: marks, bodyLimit: 1_048_576 },
  };
  const reply = { raw: { setHeader: () => undefined } };
  return guard.check(request as unknown as FastifyRequest, reply as unknown as FastifyReply).then(
    () => 'admitted',
    (error: { code?: string }) => error.code ?? String(error),
  );
}

const TOKEN = { authorization: 'Bearer x' };
const key = (scopes: Principal['scopes']): Partial<Principal> => ({ kind: 'key', keyId: 'k', scopes });
const withScope = { access: { public: false, scopes: ['documents:write'], role: 'viewer' } } satisfies RouteMarks;

describe('each mark of a route by itself', () => {
  it.each<[string, Asked, string]>([
    ['I01 no marks, nobody', { marks: {}, headers: TOKEN, principal: {} }, 'forbidden'],
    ['I01 nobody', { marks: { access: READS } }, 'unauthenticated'],
    ['I01 somebody', { marks: { access: READS }, headers: TOKEN, principal: {} }, 'admitted'],
    ['I01 everybody', { marks: { access: { public: true } } }, 'admitted'],
    ['F08 the scope', { marks: withScope, headers: TOKEN, principal: key(new Set(['documents:write'])) }, 'admitted'],
    [
      'F08 all scopes but the one',
      { marks: withScope, headers: TOKEN, principal: key(new Set(SCOPES.filter((scope) => scope !== 'documents:write'))) },
      'forbidden',
    ],
    ['F08 no scope', { marks: withScope, headers: TOKEN, principal: key(new Set()) }, 'forbidden'],
    ['E20 the role', { marks: { access: { ...READS, role: 'admin' } }, headers: TOKEN, principal: { role: 'admin' } }, 'admitted'],
    [
      'E20 the role below, with all scopes',
      { marks: { access: { ...READS, role: 'admin' } }, headers: TOKEN, principal: { role: 'editor' } },
      'forbidden',
    ],
    ['F10 the instance admin', { marks: { access: READS, instance: true }, headers: TOKEN, principal: {} }, 'admitted'],
    [
      'F10 an owner who is none',
      { marks: { access: READS, instance: true }, headers: TOKEN, principal: { instanceAdmin: false } },
      'forbidden',
    ],
    [
      'F08 a key of one, for administration',
      { marks: { access: READS, instance: true }, headers: TOKEN, principal: key(new Set(['admin'])) },
      'admitted',
    ],
    [
      'F08 a key of one, for something else',
      { marks: { access: READS, instance: true }, headers: TOKEN, principal: key(new Set(['chat'])) },
      'forbidden',
    ],
    ['G16 a person', { marks: { access: READS, persons: true }, headers: TOKEN, principal: {} }, 'admitted'],
    [
      'G16 a key, where a person is wanted',
      { marks: { access: READS, persons: true }, headers: TOKEN, principal: key(new Set(SCOPES)) },
      'forbidden',
    ],
    ['I05 nobody, on loopback', { marks: { access: READS, publicOnLoopback: true } }, 'admitted'],
    ['I05 nobody, on a server for others', { marks: { access: READS, publicOnLoopback: true }, host: '0.0.0.0' }, 'unauthenticated'],
    ['I05 a token that is nobody’s, on loopback', { marks: { access: READS, publicOnLoopback: true }, headers: TOKEN }, 'unauthenticated'],
    ['L02 a host that is ours', { marks: { access: { public: true } } }, 'admitted'],
    ['L02 a host that is not', { marks: { access: { public: true } }, headers: { host: 'evil.example' } }, 'invalid'],
    ['L02 a host that ends as ours', { marks: { access: { public: true } }, headers: { host: 'evil.localhost' } }, 'invalid'],
    ['L02 a host that begins as ours', { marks: { access: { public: true } }, headers: { host: 'localhost.evil.example' } }, 'invalid'],
    [
      'L02 any host, where probes ask by address',
      { marks: { access: { public: true }, anyHost: true }, headers: { host: '10.0.0.7' } },
      'admitted',
    ],
    ['K05 as much as is accepted', { marks: { access: { public: true } }, headers: { 'content-length': '1048576' } }, 'admitted'],
    ['K05 a byte more', { marks: { access: { public: true } }, headers: { 'content-length': '1048577' } }, 'too_large'],
    ['K05 a byte more of nobody', { marks: { access: READS }, headers: { 'content-length': '1048577' } }, 'too_large'],
    [
      'B10 a file, where none is taken',
      { marks: { access: { public: true } }, headers: { 'content-type': 'multipart/form-data; boundary=x' } },
      'unsupported_media_type',
    ],
    [
      'B10 bytes, where none are taken',
      { marks: { access: { public: true } }, headers: { 'content-type': 'application/octet-stream' } },
      'unsupported_media_type',
    ],
    [
      'B10 a file, where files are',
      { marks: { access: { public: true }, uploads: true }, headers: { 'content-type': 'multipart/form-data; boundary=x' } },
      'admitted',
    ],
    [
      'B10 a file of nobody',
      { marks: { access: READS }, headers: { 'content-type': 'multipart/form-data; boundary=x' } },
      'unauthenticated',
    ],
  ])('%s', async (_, asked, wanted) => {
    expect(await outcome(asked)).toBe(wanted);
  });

  it('O01 as many requests as the limit says', async () => {
    const config = parseConfig({ RATE_LIMIT_PER_MINUTE: '3' });
    const authenticator = { authenticate: async () => ALMIGHTY } as unknown as Authenticator;
    const guard = new RequestGuard(config, authenticator, new MemoryLimits(), {} as Budgets, new PrometheusMetrics());
    const sent = { host: 'localhost', ...TOKEN };
    const request = {
      is404: false,
      headers: sent,
      raw: { url: '/', headers: sent, rawHeaders: Object.entries(sent).flat() },
      routeOptions: { config: { access: READS } },
    };
    const ask = () =>
      guard.check(request as unknown as FastifyRequest, { raw: { setHeader: () => undefined } } as unknown as FastifyReply).then(
        () => 'admitted',
        (error: { code?: string }) => error.code,
      );
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual(['admitted', 'admitted', 'admitted', 'rate_limited']);
  });
});
