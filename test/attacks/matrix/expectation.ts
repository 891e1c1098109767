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
export function expected({ url, marks }: Route, actor: Actor, via: 'token' | 'key' | 'nothing', target: Target): Expectation {
  if (marks.access === undefined) return 403;
  if (marks.access.public) return 'open';
  if (!actor.alive) return via === 'nothing' && marks.publicOnLoopback === true ? 'open' : 401;
  const refusal = refusalOfMarks(marks, actor, via);
  if (refusal !== undefined) return refusal;
  if (marks.member !== undefined) return membership(marks.member, actor, via, target);
  return ofIds(kindsIn(url), actor, target);
}

function refusalOfMarks(marks: RouteMarks, actor: Actor, via: 'token' | 'key' | 'nothing'): 403 | undefined {
  const access = marks.access;
  if (access === undefined || access.public) return undefined;
  const scopes = via === 'key' ? rightsOf(actor).filter((scope) => actor.scopes.includes(scope)) : rightsOf(actor);
  if (access.scopes !== 'any' && !access.scopes.some((scope) => scopes.includes(scope))) return 403;
  if (!atLeast(actor.role, access.role)) return 403;
  if (marks.instance === true && !(actor.instanceAdmin && (via === 'token' || actor.scopes.includes('admin')))) return 403;
  if (marks.persons === true && via === 'key') return 403;
  return undefined;
}

function membership(least: Role, actor: Actor, via: 'token' | 'key' | 'nothing', target: Target): Expectation {
  const role = target.roleOf(actor);
  if (
    via === 'key' &&
    !rightsOf(actor)
      .filter((scope) => actor.scopes.includes(scope))
      .includes('admin')
  )
    return 403;
  if (role === undefined || (via === 'key' && actor.workspaceId !== target.workspaceId)) return 404;
  return atLeast(role, least) ? 'allowed' : 403;
}

function ofIds(kinds: (ThingKind | 'open')[], actor: Actor, target: Target): Expectation {
  const named = kinds.filter((kind) => kind !== 'open');
  if (named.length === 0) return 'allowed';
  if (named.includes('user')) return actor.instanceAdmin || actor.userId === target.makerId ? 'allowed' : 404;
  if (actor.workspaceId !== target.workspaceId) return 404;
  // An agent's runs are a list of one's own.
  if (named.some((kind) => PRIVATE_KINDS.includes(kind)) && actor.userId !== target.makerId) return 404;
  return 'allowed';
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
