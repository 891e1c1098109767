import { AppError } from '@kernel/errors';
import { type Principal, roleAtLeast } from '@kernel/identity';
import type { RouteAccess, RouteMarks } from './access.decorator';

/** Whether a principal may use a route with these marks, as of now. Errors: `forbidden`, saying what is missing. */
export function assertPermitted(principal: Principal, access: Extract<RouteAccess, { public: false }>, marks: RouteMarks): void {
  const allowed = access.scopes === 'any' || access.scopes.some((scope) => principal.scopes.has(scope));
  if (!allowed) throw new AppError('forbidden', `This needs the scope ${(access.scopes as readonly string[]).join(' or ')}.`);
  if (!roleAtLeast(principal.role, access.role)) throw new AppError('forbidden', `This needs the role ${access.role} in the workspace.`);
  if (marks.persons === true && principal.kind !== 'user')
    throw new AppError('forbidden', 'This is done with an access token, not with an API key.');
  if (marks.instance === true && !mayGovern(principal)) throw new AppError('forbidden', 'This is for the instance admin.');
}

/** A key of an instance admin governs the instance only when it was made for administration. */
function mayGovern({ instanceAdmin, kind, scopes }: Principal): boolean {
  return instanceAdmin && (kind === 'user' || scopes.has('admin'));
}
