import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Route } from '../../../apps/api/src/http/route-table';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { startApi, type TestApi } from '../../support/api';
import { ACTORS, bearersOf, openTeam, tenantState, type Actor, type ActorName, type Team, type ThingOwner, type VictimIds } from '../kit';
import { exampleBody, type OpenApi } from './example-body';
import { expected, type Expectation, type Target } from './expectation';
import { kindsIn, pathTo } from './path-ids';
import { Sender, type ReceivedAnswer } from './sender';
import { OTHER_METHODS, SPELLINGS, type Spelling } from './spellings';

/** Whoever may see nothing of the victim's. */
const FOREIGNERS: ActorName[] = ['anonymous', 'otherUser', 'instanceAdmin', 'suspended', 'revoked', 'deleted'];
const MEMBERS = ACTORS.filter((name) => !FOREIGNERS.includes(name));
/** They try every route in every spelling. */
const SPELLERS: ActorName[] = ['anonymous', 'otherUser', 'keySmall'];
/** What a path that the router does not know is answered with. */
const NOWHERE = [400, 404, 405, 414, 422];

const nameOf = ({ method, url }: Route): string => `${method} ${url}`;
const reads = ({ method }: Route): boolean => method === 'GET' || method === 'HEAD';

jest.setTimeout(300_000);

interface Check {
  route: Route;
  actor: Actor;
  via: 'token' | 'key' | 'nothing';
  bearer?: string;
  expectation: Expectation;
}

describe('every route × every actor × every spelling', () => {
  const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
  const tally = { checks: 0, unexpected: 0 };
  let api: TestApi;
  let team: Team;
  let sender: Sender;
  let routes: Route[];
  let document: OpenApi;
  let victim: Target;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { MODELS_DIR: models, RATE_LIMIT_PER_MINUTE: '10000000' } });
    team = await openTeam(api);
    sender = new Sender(api.url);
    routes = api.app.get(RouteTable).routes;
    document = (await api.get('/docs/openapi.json')).json as unknown as OpenApi;
    victim = {
      workspaceId: team.victim.workspace,
      makerId: team.actors.owner.userId,
      roleOf: ({ workspaceId, role, alive }) => (alive && workspaceId === team.victim.workspace ? role : undefined),
    };
  });
  afterAll(async () => {
    await sender?.close();
    await api?.close();
    rmSync(models, { recursive: true, force: true });
    const said = `${routes?.length} routes, ${ACTORS.length} actors, ${tally.checks} checks, ${tally.unexpected} unexpected`;
    process.stdout.write(`routes × actors × spellings: ${said}\n`);
  });

  it('I01 knows what is meant by every path parameter, and finds a mark on every route', () => {
    expect(routes.length).toBeGreaterThan(80);
    for (const { url } of routes) kindsIn(url);
    expect(routes.filter(({ marks }) => marks.access === undefined).map(nameOf)).toEqual([]);
  });

  it('I01, E04, E07, E11, G10, G14 refuses whoever is not of the workspace, and changes nothing of it', async () => {
    const checks = checksOf(FOREIGNERS).filter((check) => isPrivate(check.route) && !governs(check));
    await unchanged(() => tried(checks));
    expect(new Set(checks.map(({ route }) => nameOf(route)))).toEqual(new Set(routes.filter(isPrivate).map(nameOf)));
  });

  it('I01, I02 shows nothing of anybody on public routes', async () => {
    const anonymous = checksOf(['anonymous']).filter(({ route }) => !isPrivate(route));
    expect(anonymous.length).toBeGreaterThan(10);
    await unchanged(() => tried(anonymous));
  });

  it('E10, E20 refuses members whose scopes or role do not suffice, and shows them nothing private of others', async () => {
    const checks = checksOf(MEMBERS).filter(({ route, expectation }) => isPrivate(route) && expectation !== 'allowed');
    expect(checks.length).toBeGreaterThan(100);
    await unchanged(() => tried(checks));
  });

  it('E20 lets members do what their role may, with things of their own', async () => {
    const checks = [...checksOf(MEMBERS), ...checksOf(['instanceAdmin']).filter(governs)].filter(
      ({ route, expectation }) => isPrivate(route) && expectation === 'allowed',
    );
    expect(checks.length).toBeGreaterThan(100);
    const faults: string[] = [];
    const elsewhere = () =>
      Promise.all([team.actors.otherUser, team.actors.instanceAdmin].map(({ workspaceId }) => tenantState(team.database, workspaceId)));
    const before = await elsewhere();
    await sender.each(checks, async (check) => void faults.push(...(await allowedFaults(check))));
    expect(faults).toEqual([]);
    expect(await elsewhere()).toEqual(before);
  });

  it('G13, G11, Q02 is not passed by another spelling of the path, another method or a header', async () => {
    const checks = checksOf(SPELLERS).filter((check) => isPrivate(check.route) && isWorthSpelling(check));
    await unchanged(async () => {
      const faults: string[] = [];
      const spelled = checks.flatMap((check) => SPELLINGS.map((spelling) => ({ check, spelling })));
      await sender.each(spelled, async ({ check, spelling }) => void faults.push(...(await spellingFaults(check, spelling))));
      expect(faults).toEqual([]);
    });
  });

  it('Q02 answers 405 to every method that a path lacks', async () => {
    const faults: string[] = [];
    const asked = [...new Set(routes.map(({ url }) => url))].flatMap((url) => OTHER_METHODS.map((method) => ({ url, method })));
    const lacking = asked.filter(
      ({ url, method }) => !routes.some((route) => route.method === method && pathTo(route.url, team.victim) === pathTo(url, team.victim)),
    );
    await unchanged(() =>
      sender.each(lacking, async ({ url, method }) => {
        for (const name of ['anonymous', 'otherUser'] as const) {
          const answer = await sender.send({ method, target: pathTo(url, team.victim), bearer: team.actors[name].token });
          faults.push(...judged(`${method} ${url} by ${name}`, answer, [400, 401, 403, 404, 405]));
        }
      }),
    );
    expect(faults).toEqual([]);
  });

  it('was at least ten thousand checks', () => {
    expect(tally.checks).toBeGreaterThanOrEqual(10_000);
    expect(tally.unexpected).toBe(0);
  });

  function isPrivate({ marks }: Route): boolean {
    return marks.access?.public === false;
  }

  /** Nobody spells everything; a stranger what is not only another name of a GET, a small key what would change something. */
  function isWorthSpelling({ route, actor, via, expectation }: Check): boolean {
    if (actor.name === 'anonymous') return true;
    if (actor.name === 'keySmall') return !reads(route) && expectation !== 'allowed';
    return via === 'token' && route.method !== 'HEAD' && (expectation !== 'allowed' || reads(route));
  }

  function checksOf(names: readonly ActorName[]): Check[] {
    return names.flatMap((name) =>
      bearersOf(team.actors[name]).flatMap(({ via, bearer }) =>
        routes.map((route) => ({
          route,
          actor: team.actors[name],
          via,
          bearer,
          expectation: expected(route, team.actors[name], via, victim),
        })),
      ),
    );
  }

  /** What only the instance admin may do to others: allowed, and so no attack. */
  function governs({ route, actor, expectation }: Check): boolean {
    return actor.instanceAdmin && expectation === 'allowed' && kindsIn(route.url).some((kind) => kind !== 'open');
  }

  /** Sends each check in its plain spelling, with ids of the victim's. */
  async function tried(checks: Check[]): Promise<void> {
    const faults: string[] = [];
    await sender.each(checks, async (check) => {
      // What an actor may do to itself must not end the tokens of the other checks.
      const bearer = check.expectation === 'allowed' && !reads(check.route) ? (await doubled(check)).bearer : check.bearer;
      faults.push(...judged(label(check), await sent({ ...check, bearer }, team.victim), check.expectation));
    });
    expect(faults).toEqual([]);
  }

  function sent({ route, bearer }: Pick<Check, 'route' | 'bearer'>, ids: VictimIds): Promise<ReceivedAnswer> {
    return sender.send({ method: route.method, target: pathTo(route.url, ids), bearer, body: bodyOf(route, ids) });
  }

  async function spellingFaults(check: Check, { name, target, headers, same }: Spelling): Promise<string[]> {
    const { route, bearer, expectation } = check;
    const path = pathTo(route.url, team.victim);
    const secret = team.actors.owner.key ?? '';
    const answer = await sender.send({
      method: route.method,
      target: (target?.(path, api.url) ?? path).replaceAll('SECRET', secret),
      headers: headers?.(path, secret),
      bearer,
      body: bodyOf(route, team.victim),
    });
    // A list of one's own may be answered to a spelling that the router understands.
    const wanted =
      same === true ? expectation : [...NOWHERE, ...(expectation === 'allowed' || expectation === 'open' ? [200] : [expectation])];
    return judged(`${label(check)}, ${name}`, answer, name === 'a public path that names it' ? [...NOWHERE, 200] : wanted);
  }

  /** What is allowed to read must be there; what changes something is done by a double to things of its own, so that nothing else is changed. */
  async function allowedFaults(check: Check): Promise<string[]> {
    tally.checks += 1;
    const answer = reads(check.route) ? await sent(check, team.victim) : await sentByDouble(check);
    const fine = reads(check.route) ? answer.status === 200 : ![401, 403, 404, 405].includes(answer.status);
    if ((fine || isOfModels(check, answer)) && !isBroken(answer)) return [];
    tally.unexpected += 1;
    return [`${label(check)}: ${answer.status} ${answer.text.slice(0, 200)}`];
  }

  async function sentByDouble(check: Check): Promise<ReceivedAnswer> {
    const { bearer, userId, workspaceId } = await doubled(check);
    const ids = await thingsFor(check.route, { userId, workspaceId, token: team.actors.owner.token ?? '' });
    // Whoever governs does it to others, everybody else to oneself.
    return sent({ route: check.route, bearer }, check.actor.instanceAdmin ? ids : { ...ids, user: userId });
  }

  /** Somebody new of the same standing; for what is done to people and workspaces, in a workspace that is nobody else's. */
  async function doubled({ route, actor, via }: Check): Promise<{ bearer: string; userId: string; workspaceId: string }> {
    const { people } = team;
    const { userId, ownWorkspaceId } = await people.make(`double of ${actor.name}`, { instanceAdmin: actor.instanceAdmin });
    const isMember = actor.workspaceId === team.victim.workspace;
    const isApart = route.marks.member !== undefined || route.marks.instance === true;
    const workspaceId = !isMember
      ? ownWorkspaceId
      : isApart
        ? await people.workspace(team.actors.owner.userId, 'apart')
        : actor.workspaceId;
    if (isMember) await people.join(userId, workspaceId, actor.role);
    const key = via === 'key' ? await people.key(userId, workspaceId, actor.scopes) : undefined;
    return { bearer: key?.secret ?? (await people.token(userId, workspaceId)), userId, workspaceId };
  }

  /** One of everything that the route needs, for a member of a workspace. */
  async function thingsFor(route: Route, owner: ThingOwner): Promise<VictimIds> {
    const needed = `${kindsIn(route.url).join()},${JSON.stringify(bodyOf(route, NAMES) ?? null)}`;
    const makers: [keyof VictimIds, (made: VictimIds) => Promise<string>][] = [
      ['collection', () => team.things.collection(owner)],
      ['point', (made) => team.things.point(owner, made.collection)],
      ['session', () => team.things.session(owner)],
      ['message', (made) => team.things.message(owner, made.session)],
      ['agent', () => team.things.agent(owner)],
      ['run', (made) => team.things.run(owner, made.agent)],
      ['job', () => team.things.job(owner)],
      ['document', () => team.things.document(owner)],
      ['key', () => team.things.key(owner)],
      ['invitation', () => team.things.invitation(owner)],
      ['member', () => guestOf(owner)],
      ['user', () => guestOf(owner)],
    ];
    const made: VictimIds = { ...NAMES, workspace: owner.workspaceId };
    for (const [kind, make] of makers)
      if (needed.includes(kind) || PARENTS[kind]?.some((child) => needed.includes(child))) made[kind] = await make(made);
    return made;
  }

  async function guestOf({ workspaceId }: ThingOwner): Promise<string> {
    const { userId } = await team.people.make('guest');
    await team.people.join(userId, workspaceId, 'viewer');
    return userId;
  }

  function bodyOf(route: Route, ids: VictimIds): unknown {
    return exampleBody(document, route.method, route.url, ids);
  }

  function judged(what: string, answer: ReceivedAnswer, wanted: Expectation | number[]): string[] {
    tally.checks += 1;
    const good =
      wanted === 'open' || wanted === 'allowed'
        ? ![401, 403].includes(answer.status) || wanted === 'open'
        : Array.isArray(wanted)
          ? wanted.includes(answer.status)
          : answer.status === wanted;
    const shown = team.canaries.found(answer.text);
    if (good && !isBroken(answer) && shown.length === 0) return [];
    tally.unexpected += 1;
    return [
      `${what}: ${answer.status}, not ${String(wanted)}${shown.length > 0 ? `; shows ${shown.join(', ')}` : ''} ${answer.text.slice(0, 160)}`,
    ];
  }

  async function unchanged(attack: () => Promise<void>): Promise<void> {
    const before = await tenantState(team.database, team.victim.workspace);
    await attack();
    expect(await tenantState(team.database, team.victim.workspace)).toEqual(before);
  }
});

/** Kinds by their own names: a body made of them tells which it needs. */
const NAMES: VictimIds = {
  workspace: 'workspace',
  user: 'user',
  member: 'member',
  collection: 'collection',
  point: 'point',
  document: 'document',
  session: 'session',
  message: 'message',
  job: 'job',
  agent: 'agent',
  run: 'run',
  key: 'key',
  invitation: 'invitation',
};
const PARENTS: Partial<Record<keyof VictimIds, (keyof VictimIds)[]>> = { collection: ['point'], session: ['message'], agent: ['run'] };

const label = ({ route, actor, via }: Check): string => `${nameOf(route)} by ${actor.name} (${via})`;

/** Nothing may fail inside; 503 is said of models, which this server has not. */
const isBroken = ({ status }: ReceivedAnswer): boolean => status === 0 || (status >= 500 && status !== 503);

/** This server has no models: what is asked of one, or for one, is not there. */
const isOfModels = ({ route }: Check, { status, text }: ReceivedAnswer): boolean =>
  status === 404 &&
  (text.includes('"model_not_found"') ||
    (text.includes('The model') && route.url.startsWith('/api/v1/models')) ||
    (text === '' && route.url.startsWith('/v1/models')));
