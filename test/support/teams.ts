import type { ApiAnswer, TestApi } from './api';
import { PASSWORD } from './identity';

/** Somebody signed in. */
export interface Person {
  token: string;
  refreshToken: string;
  id: string;
  email: string;
  workspaceId: string;
}

/** Settings under which a test registers as many people as it likes. */
export const OPEN = { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '100000' };

export function personOf({ status, json, text }: ApiAnswer): Person {
  if (status !== 200 && status !== 201) throw new Error(`Signing in answered ${status}: ${text}`);
  const { access_token: token, refresh_token: refreshToken, user, workspace } = json as unknown as SignedIn;
  return { token, refreshToken, id: user.id, email: user.email, workspaceId: workspace.id };
}

interface SignedIn {
  access_token: string;
  refresh_token: string;
  user: { id: string; email: string };
  workspace: { id: string };
}

export async function login(api: TestApi, email: string, password = PASSWORD): Promise<Person> {
  return personOf(await api.post('/api/v1/auth/login', { email, password }));
}

/** The token of an invitation into the workspace of `by`. */
export async function invite(api: TestApi, by: Person, email: string, role: string): Promise<string> {
  const { status, json, text } = await api.post(`/api/v1/workspaces/${by.workspaceId}/members`, { email, role }, by.token);
  if (status !== 201) throw new Error(`Inviting answered ${status}: ${text}`);
  return String(json.invite_token);
}

/** A new member of the workspace of `by`, signed in there. */
export async function join(api: TestApi, by: Person, email: string, role: string): Promise<Person> {
  const invite_token = await invite(api, by, email, role);
  return personOf(await api.post('/api/v1/auth/accept', { invite_token, password: PASSWORD }));
}

/** A new person at home in a workspace of their own, by invitation of `by`: registrations are few for one address. */
export async function settle(api: TestApi, by: Person, email: string): Promise<Person> {
  const guest = await join(api, by, email, 'viewer');
  const own = await api.post('/api/v1/workspaces', { name: email.slice(0, email.indexOf('@')) }, guest.token);
  const settled = personOf(await api.post('/api/v1/auth/switch', { workspace_id: own.json.id }, guest.token));
  await api.delete(`/api/v1/workspaces/${by.workspaceId}/members/${guest.id}`, settled.token);
  return settled;
}
