import { roleAtLeast, type Role, type Scope } from '@kernel/identity';

const VIEWER: Scope[] = ['chat', 'documents:read', 'vectors:read', 'agents:read', 'agents:run', 'jobs:read', 'jobs:write', 'models:read'];
const EDITOR: Scope[] = ['documents:write', 'vectors:write', 'agents:write'];

/** Everything that a member of this role may do: the scopes of a person's token, and the ceiling of every key that the person makes. */
export function scopesOf(role: Role, instanceAdmin: boolean): Set<Scope> {
  const scopes = new Set(VIEWER);
  if (roleAtLeast(role, 'editor')) for (const scope of EDITOR) scopes.add(scope);
  if (roleAtLeast(role, 'admin')) scopes.add('admin');
  if (instanceAdmin) scopes.add('models:write');
  return scopes;
}
