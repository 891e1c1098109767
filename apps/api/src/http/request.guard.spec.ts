import type { Authenticator } from '@features/auth';
import { MemoryLimits } from '@backing/memory';
import { PrometheusMetrics } from '@backing/prometheus';
import type { Budgets } from '@features/usage';
import { parseConfig } from '@kernel/config';
import { type Principal, type Role, SCOPES } from '@kernel/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RouteMarks } from './access.decorator';
import { RequestGuard } from './request.guard';

/** A principal with every scope, so that only the role decides. */
function principal(role: Role): Principal {
  return { kind: 'user', userId: 'u', workspaceId: 'w', role, instanceAdmin: false, scopes: new Set(SCOPES), requestsPerMinute: 1_000 };
}

async function check(marks: RouteMarks, role: Role): Promise<string> {
  const authenticator = { authenticate: async () => principal(role) } as unknown as Authenticator;
  const guard = new RequestGuard(parseConfig({}), authenticator, new MemoryLimits(), {} as Budgets, new PrometheusMetrics());
  const request = {
    is404: false,
    headers: { host: 'localhost', authorization: 'Bearer x' },
    raw: { url: '/', headers: {}, rawHeaders: ['Host', 'localhost'] },
    routeOptions: { config: marks, bodyLimit: 10 },
  };
  const reply = { raw: { setHeader: () => undefined } };
  return guard.check(request as unknown as FastifyRequest, reply as unknown as FastifyReply).then(
    () => 'admitted',
    (error: { code: string }) => error.code,
  );
}

describe('RequestGuard', () => {
  it.each([
    ['viewer', 'viewer', 'admitted'],
    ['owner', 'viewer', 'admitted'],
    ['viewer', 'editor', 'forbidden'],
    ['editor', 'admin', 'forbidden'],
    ['admin', 'admin', 'admitted'],
    ['admin', 'owner', 'forbidden'],
  ] as const)('a %s where a %s is wanted is %s, whatever the scopes', async (role, wanted, outcome) => {
    expect(await check({ access: { public: false, scopes: ['documents:write'], role: wanted } }, role)).toBe(outcome);
  });

  it('admits nobody to a route without marks', async () => {
    expect(await check({}, 'owner')).toBe('forbidden');
  });
});
