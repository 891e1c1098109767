import { PostgresClient, sql } from '@backing/postgres';
import { type Role, SCOPES, type Scope } from '@kernel/identity';
import type { TestApi } from '../../support/api';
import { Canaries } from './canaries';
import { People } from './people';
import { Things, type VictimIds } from './things';

/**
 * Everybody who might send a request. `viewer` to `owner` are members of the victim's workspace, whose private things are the owner's; `otherUser` and
 * `instanceAdmin` are not members and own workspaces of their own; `suspended`, `revoked` and `deleted` were editors of it. `keySmall` and `keyFull` are keys of the owner,
 * `keyOfWorkspace` one of the workspace's own, made by the admin.
 */
export const ACTORS = [
  'anonymous',
  'otherUser',
  'viewer',
  'editor',
  'admin',
  'owner',
  'instanceAdmin',
  'suspended',
  'revoked',
  'deleted',
  'keySmall',
  'keyFull',
  'keyOfWorkspace',
] as const;
export type ActorName = (typeof ACTORS)[number];

export interface Actor {
  name: ActorName;
  userId: string;
  /** Where the tokens act. */
  workspaceId: string;
  /** The role there. */
  role: Role;
  instanceAdmin: boolean;
  /** False: whatever it sends is answered with 401. */
  alive: boolean;
  /** An access token. */
  token?: string;
  /** The secret of an API key, and the scopes that it was given. */
  key?: string;
  scopes: readonly Scope[];
}

/** A victim's workspace full of canaries, and everybody around it. */
export interface Team {
  actors: Record<ActorName, Actor>;
  victim: VictimIds;
  canaries: Canaries;
  database: PostgresClient;
  people: People;
  /** Makes more of anything for anybody; its texts bear the canary. */
  things: Things;
  /** Fails when `text` shows anything of the victim's or of the server's insides. */
  expectClean(text: string): void;
}

/** The one scope of `keySmall`. */
export const SMALL: readonly Scope[] = ['models:read'];

/** Fills a running server; needs no model. A server may hold several teams. */
export async function openTeam(api: TestApi): Promise<Team> {
  const database = api.app.get(PostgresClient, { strict: false });
  const canaries = new Canaries();
  const people = await People.of(api, database);
  const things = new Things(api, database, (label) => canaries.text(label));
  const owner = await people.make(canaries.text('owner'));
  const home = await people.workspace(owner.userId, canaries.text('workspace'));
  const member = async (name: ActorName, role: Role): Promise<Actor> => {
    const { userId } = name === 'owner' ? owner : await people.make(canaries.text(name));
    await people.join(userId, home, role);
    return equipped(people, { name, userId, workspaceId: home, role, instanceAdmin: false, alive: true, scopes: SCOPES });
  };
  const persons = {
    anonymous: { name: 'anonymous', userId: '', workspaceId: '', role: 'viewer', instanceAdmin: false, alive: false, scopes: [] },
    otherUser: await stranger(people, 'otherUser', false),
    viewer: await member('viewer', 'viewer'),
    editor: await member('editor', 'editor'),
    admin: await member('admin', 'admin'),
    owner: await member('owner', 'owner'),
    instanceAdmin: await stranger(people, 'instanceAdmin', true),
    ...(await outcasts(people, home)),
    ...(await ownersKeys(people, owner.userId, home)),
  } satisfies Partial<Record<ActorName, Actor>>;
  const actors = { ...persons, keyOfWorkspace: await workspacesKey(api, database, persons.admin) };
  const maker = { userId: owner.userId, workspaceId: home, token: actors.owner.token ?? '' };
  const bystander = await people.make(canaries.text('member'));
  await people.join(bystander.userId, home, 'viewer');
  const victim = await things.everything(maker, bystander.userId);
  keepSecrets(canaries, api, actors);
  return { actors, victim, canaries, database, people, things, expectClean: (text) => canaries.expectClean(text) };
}

/** What a request of the actor bears: everything that it has. */
export function bearersOf({ token, key }: Actor): { via: 'token' | 'key' | 'nothing'; bearer?: string }[] {
  const bearers = [
    ...(token === undefined ? [] : [{ via: 'token' as const, bearer: token }]),
    ...(key === undefined ? [] : [{ via: 'key' as const, bearer: key }]),
  ];
  return bearers.length > 0 ? bearers : [{ via: 'nothing' }];
}

async function equipped(people: People, actor: Actor, revoked = false): Promise<Actor> {
  const { userId, workspaceId } = actor;
  const { secret } = await people.key(userId, workspaceId, SCOPES, { revoked });
  return { ...actor, token: await people.token(userId, workspaceId, { revoked }), key: secret };
}

async function stranger(people: People, name: ActorName, instanceAdmin: boolean): Promise<Actor> {
  const { userId, ownWorkspaceId } = await people.make(name, { instanceAdmin });
  return equipped(people, { name, userId, workspaceId: ownWorkspaceId, role: 'owner', instanceAdmin, alive: true, scopes: SCOPES });
}

async function outcasts(people: People, home: string): Promise<Record<'suspended' | 'revoked' | 'deleted', Actor>> {
  const outcast = async (name: ActorName, status: 'active' | 'suspended' | 'deleted'): Promise<Actor> => {
    const { userId } = await people.make(name, { status });
    await people.join(userId, home, 'editor');
    const actor: Actor = { name, userId, workspaceId: home, role: 'editor', instanceAdmin: false, alive: false, scopes: SCOPES };
    return equipped(people, actor, name === 'revoked');
  };
  return {
    suspended: await outcast('suspended', 'suspended'),
    revoked: await outcast('revoked', 'active'),
    deleted: await outcast('deleted', 'deleted'),
  };
}

async function ownersKeys(people: People, userId: string, home: string): Promise<Record<'keySmall' | 'keyFull', Actor>> {
  const keyed = async (name: ActorName, scopes: readonly Scope[]): Promise<Actor> => {
    const { secret } = await people.key(userId, home, scopes);
    return { name, userId, workspaceId: home, role: 'owner', instanceAdmin: false, alive: true, scopes, key: secret };
  };
  return { keySmall: await keyed('keySmall', SMALL), keyFull: await keyed('keyFull', SCOPES) };
}

/** Made through the product: a service user stands behind it. */
async function workspacesKey(api: TestApi, database: PostgresClient, maker: Actor): Promise<Actor> {
  const scopes = SCOPES.filter((scope) => scope !== 'models:write');
  const { status, json, text } = await api.post('/api/v1/auth/keys', { name: 'of the workspace', scopes, owner: 'workspace' }, maker.token);
  if (status !== 201) throw new Error(`Making a key of the workspace answered ${status}: ${text}`);
  const rows = await database.query<{ owner_id: string }>(sql`SELECT owner_id FROM api_keys WHERE id = ${String(json.id)}::uuid`);
  return { ...maker, name: 'keyOfWorkspace', userId: rows[0]?.owner_id ?? '', token: undefined, key: String(json.secret), scopes };
}

function keepSecrets(canaries: Canaries, api: TestApi, actors: Record<ActorName, Actor>): void {
  canaries.secret('the secret of access tokens', api.directory.secret('jwt'));
  for (const { name, token, key } of Object.values(actors)) {
    if (token !== undefined) canaries.secret(`the token of ${name}`, token);
    if (key !== undefined) canaries.secret(`the key of ${name}`, key);
  }
}
