/** Roles in a workspace, weakest first. */
export const ROLES = ['viewer', 'editor', 'admin', 'owner'] as const;
export type Role = (typeof ROLES)[number];

/** Scopes that an API key may carry; an access token of a person has all of them, limited by the person's role. */
export const SCOPES = [
  'chat',
  'documents:read',
  'documents:write',
  'vectors:read',
  'vectors:write',
  'agents:read',
  'agents:write',
  'agents:run',
  'jobs:read',
  'jobs:write',
  'models:read',
  'models:write',
  'admin',
] as const;
export type Scope = (typeof SCOPES)[number];

/** Who acts, in which workspace: made by authentication, passed down to every decision. */
export interface Principal {
  kind: 'user' | 'key';
  userId: string;
  workspaceId: string;
  role: Role;
  instanceAdmin: boolean;
  scopes: ReadonlySet<Scope>;
  /** Present for access tokens: the login that issued them. */
  sessionId?: string;
  /** Present for API keys. */
  keyId?: string;
  requestsPerMinute?: number;
  /** Tokens that the key may use in a day (UTC); without it, any number. */
  tokensPerDay?: number;
}

export function roleAtLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}
