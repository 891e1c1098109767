import type { RouteMarks } from '../../../apps/api/src/http/access.decorator';
import type { Route } from '../../../apps/api/src/http/route-table';
import type { Role, Scope } from '@kernel/identity';
import { ROLES } from '@kernel/identity';
import type { Actor } from '../kit';
import { kindsIn, type ThingKind } from './path-ids';

/** `open`: whatever the handler answers, to anybody. `allowed`: the handler works. A number: exactly this refusal. */
export type Expectation = 'open' | 'allowed' | 401 | 403 | 404;

/** The rights of each role, as the contract's table of roles gives them. */
const EVERYBODY: Scope[] = [
  'chat',
  'documents:read',
  'vectors:read',
  'agents:read',
  'agents:run',
  'jobs:read',
  'jobs:write',
  'models:read',
];
const WRITERS: Scope[] = ['documents:write', 'vectors:write', 'agents:write'];
/** Nobody but their maker sees these, the owner of the workspace included; the other kinds are the workspace's. */
const PRIVATE_KINDS: (ThingKind | 'open')[] = ['session', 'message', 'job', 'run', 'key'];

export interface Target {
  /** The workspace whose ids stand in the path, and who made its private things. */
  workspaceId: string;
  makerId: string;
  /** The role there of whom it asks about; undefined for strangers. */
  roleOf(actor: Actor): Role | undefined;
}

/** What the marks of a route promise to an actor who sends its token or key, with ids of `target` in the path. */
export function expected({ method, url, marks }: Route, actor: Actor, via: 'token' | 'key' | 'nothing', target: Target): Expectation {
  if (marks.access === undefined) return 403;
  if (marks.access.public) return 'open';
  if (!actor.alive) return via === 'nothing' && marks.publicOnLoopback === true ? 'open' : 401;
  const refusal = refusalOfMarks(marks, actor, via);
  if (refusal !== undefined) return refusal;
  if (marks.member !== undefined) return membership({ method, url, marks }, actor, via, target);
  return ofIds(kindsIn(url), actor, via, target);
}

function refusalOfMarks(marks: RouteMarks, actor: Actor, via: 'token' | 'key' | 'nothing'): 403 | undefined {
  const access = marks.access;
  if (access === undefined || access.public) return undefined;
  const scopes = via === 'key' ? rightsOf(actor).filter((scope) => actor.scopes.includes(scope)) : rightsOf(actor);
  if (access.scopes !== 'any' && !access.scopes.some((scope) => scopes.includes(scope))) return 403;
  if (!atLeast(actor.role, access.role)) return 403;
  if (marks.instance === true && !(actor.instanceAdmin && governs(actor, via))) return 403;
  if (marks.persons === true && via === 'key') return 403;
  return undefined;
}

function membership({ method, url, marks }: Route, actor: Actor, via: 'token' | 'key' | 'nothing', target: Target): Expectation {
  const kinds = kindsIn(url);
  const role = target.roleOf(actor);
  if (kinds.includes('workspace') && (role === undefined || (via === 'key' && actor.workspaceId !== target.workspaceId))) return 404;
  if (via === 'key' && !governs(actor, via)) return 403;
  if (role === undefined) return 'allowed';
  if (!atLeast(role, marks.member ?? 'owner')) return 403;
  // Somebody else's membership is for admins to change; reading is for everybody in the workspace.
  return kinds.includes('member') && method !== 'GET' && method !== 'HEAD' && !atLeast(role, 'admin') ? 403 : 'allowed';
}

function ofIds(kinds: (ThingKind | 'open')[], actor: Actor, via: 'token' | 'key' | 'nothing', target: Target): Expectation {
  const named = kinds.filter((kind) => kind !== 'open');
  if (named.length === 0) return 'allowed';
  // People are seen by themselves, not by their keys, and by the instance admin.
  if (named.includes('user'))
    return (actor.instanceAdmin && governs(actor, via)) || (actor.userId === target.makerId && via === 'token') ? 'allowed' : 404;
  if (actor.workspaceId !== target.workspaceId) return 404;
  // An agent's runs are a list of one's own.
  if (named.some((kind) => PRIVATE_KINDS.includes(kind)) && actor.userId !== target.makerId) return 404;
  return 'allowed';
}

/** A key manages people and workspaces only when it was made for it. */
function governs(actor: Actor, via: 'token' | 'key' | 'nothing'): boolean {
  return via === 'token' || (actor.scopes.includes('admin') && rightsOf(actor).includes('admin'));
}

function rightsOf({ role, instanceAdmin }: Actor): Scope[] {
  return [
    ...EVERYBODY,
    ...(atLeast(role, 'editor') ? WRITERS : []),
    ...(atLeast(role, 'admin') ? ['admin' as const] : []),
    ...(instanceAdmin ? ['models:write' as const] : []),
  ];
}

function atLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}
