// Guards of the HTTP edge: who may use a route, under which host, with how much of what; and who is who.
const GUARD = 'apps/api/src/http/request.guard.ts';
const PERMISSION = 'apps/api/src/http/permission.ts';
const JSON_WORKER = 'apps/api/src/http/json.worker.ts';
const PRINCIPALS = 'libs/features/auth/principals/principals.repository.ts';
const AUTHENTICATOR = 'libs/features/auth/principals/authenticator.service.ts';
const AUTHORITY = 'libs/features/auth/members/workspace-authority.service.ts';
const on = (spec) => (guard, cases, file, find, replace) => ({ guard, file, find, replace, spec: `matrix/${spec}`, cases });
const routes = on('routes');
const marks = on('guard');
const bodies = on('bodies');

module.exports = [
  routes(
    'authentication',
    ['I01'],
    GUARD,
    '!marks.access.public && !this.isOpen(request, marks)',
    '!marks.access.public && request.headers.authorization !== undefined',
  ),
  routes('instance-admin', ['I01'], PERMISSION, 'marks.instance === true && !mayGovern(principal)', 'false'),
  routes(
    'scope-on-routes',
    ['E20'],
    PERMISSION,
    "if (!allowed) throw new AppError('forbidden', `This needs the scope",
    "if (false) throw new AppError('forbidden', `This needs the scope",
  ),
  routes('scopes-of-a-key', ['E20'], AUTHENTICATOR, '.filter((scope) => key.scopes.includes(scope))', ''),
  routes('login-not-revoked', ['G10'], PRINCIPALS, 'AND l.revoked_at IS NULL AND l.expires_at', 'AND l.expires_at'),
  routes('login-of-the-active', ['G10'], PRINCIPALS, "AND l.expires_at > now() AND u.status = 'active'`,", 'AND l.expires_at > now()`,'),
  routes('key-not-revoked', ['G10'], PRINCIPALS, 'AND k.revoked_at IS NULL AND (k.expires_at', 'AND (k.expires_at'),
  routes('key-of-the-active', ['G10'], PRINCIPALS, "AND u.status = 'active' AND p.status = 'active'`,", '`,'),
  routes(
    'member-of-the-workspace',
    ['E04'],
    AUTHORITY,
    "if (userId === undefined || role === undefined) throw AppError.notFound('The workspace');\n    if (!roleAtLeast(role, least))",
    "if (userId === undefined) throw AppError.notFound('The workspace');\n    if (role === undefined) return { userId, role: 'owner' };\n    if (!roleAtLeast(role, least))",
  ),
  routes('role-of-the-member', ['E20'], AUTHORITY, 'if (!roleAtLeast(role, least)) throw', 'if (false) throw'),
  routes('key-for-administration', ['E20'], AUTHORITY, "principal.kind === 'key' && !principal.scopes.has('admin')", 'false'),
  routes(
    'person-seen-by-others',
    ['E20'],
    'libs/features/auth/people/users.service.ts',
    '!isSelf(principal, id) && !governs(principal)',
    'false',
  ),

  marks(
    'unmarked-route',
    ['I01'],
    GUARD,
    "if (marks.access === undefined) throw new AppError('forbidden', 'This address is open to nobody.');",
    'if (marks.access === undefined) return;',
  ),
  marks('scope-mark', ['F08'], PERMISSION, "access.scopes === 'any' || access.scopes.some((scope) => principal.scopes.has(scope))", 'true'),
  marks('role-mark', ['E20'], PERMISSION, '!roleAtLeast(principal.role, access.role)', 'false'),
  marks('persons-mark', ['G16'], PERMISSION, "marks.persons === true && principal.kind !== 'user'", 'false'),
  marks('key-that-governs', ['F08'], PERMISSION, "(kind === 'user' || scopes.has('admin'))", 'true'),
  marks('loopback-only-openness', ['I05'], GUARD, 'this.config.http.loopback && ', ''),
  marks('token-always-looked-at', ['I05'], GUARD, ' && request.headers.authorization === undefined;', ';'),
  marks('host-of-ours', ['L02'], GUARD, 'if (this.config.http.publicHosts.includes(name)) return;', 'return;'),
  marks(
    'host-in-full',
    ['L02'],
    GUARD,
    'this.config.http.publicHosts.includes(name)',
    'this.config.http.publicHosts.some((ours) => name.endsWith(ours))',
  ),
  marks('size-declared', ['K05'], GUARD, 'if (declared > limit) throw', 'if (false) throw'),
  marks('limit-per-minute', ['O01'], GUARD, 'if (answer.allowed) return;', 'return;'),

  bodies('media-type-of-the-route', ['B10'], GUARD, 'if (refused) throw', 'if (false) throw'),
  bodies('size-before-the-body', ['K05'], GUARD, '    this.checkSize(request, marks);\n', ''),
  bodies('depth-of-json', ['K11'], JSON_WORKER, 'const DEEPEST = 32;', 'const DEEPEST = 3_200_000;'),
  bodies('keys-of-json', ['R01'], JSON_WORKER, "new Set(['__proto__', 'constructor', 'prototype'])", 'new Set<string>()'),
];
