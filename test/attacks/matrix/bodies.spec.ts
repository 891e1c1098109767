import { connect } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RouteTable, type Route } from '../../../apps/api/src/http/route-table';
import { startApi, type TestApi } from '../../support/api';
import { openTeam, tenantState, type Team } from '../kit';
import { exampleBody, type OpenApi } from './example-body';
import { expected, type Target } from './expectation';
import { pathTo } from './path-ids';
import { Sender, type ReceivedAnswer } from './sender';

jest.setTimeout(120_000);

const nameOf = ({ method, url }: Route): string => `${method} ${url}`;
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const PLAIN_TYPES = ['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'application/jsonx', 'text/json'];

/** What must not stand in any JSON body, put into one that is good otherwise; which refusal it gets. */
const POISONS: [string, (body: string) => string, number, string?][] = [
  ['K11 nesting of 40', (body) => withMember(body, `"nested": ${nested(40)}`), 400, 'nested deeper'],
  ['K11 nesting of 100,000', (body) => withMember(body, `"nested": ${nested(100_000)}`), 400, 'nested deeper'],
  ['R01 __proto__', (body) => withMember(body, '"__proto__": {"instance_admin": true}'), 422],
  ['R01 constructor.prototype', (body) => withMember(body, '"constructor": {"prototype": {"instance_admin": true}}'), 422],
  ['R01 an escaped __proto__', (body) => withMember(body, '"\\u005f_proto__": {"role": "owner"}'), 422],
  ['F01 F02 a flag of the account', (body) => withMember(body, '"is_superuser": true, "instance_admin_of": true'), 400],
  ['F04 an owner', (body) => withMember(body, '"owner_id": "0197a5b0-0000-7000-8000-000000000000"'), 400],
  ['G22 a list instead of an object', (body) => `[${body}]`, 400],
  ['G22 a text instead of an object', () => '"text"', 400],
];

describe('what a body may be, on every route that takes one', () => {
  const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
  let api: TestApi;
  let team: Team;
  let sender: Sender;
  let document: OpenApi;
  let taking: Route[];
  let victim: Target;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { MODELS_DIR: models, RATE_LIMIT_PER_MINUTE: '10000000' } });
    team = await openTeam(api);
    sender = new Sender(api.url);
    document = (await api.get('/docs/openapi.json')).json as unknown as OpenApi;
    taking = api.app.get(RouteTable).routes.filter((route) => bodyOf(route) !== undefined);
    victim = {
      workspaceId: team.victim.workspace,
      makerId: team.actors.owner.userId,
      roleOf: ({ workspaceId, role }) => (workspaceId === team.victim.workspace ? role : undefined),
    };
  });
  afterAll(async () => {
    await sender?.close();
    await api?.close();
    rmSync(models, { recursive: true, force: true });
  });

  const bodyOf = (route: Route): unknown => exampleBody(document, route.method, route.url, team.victim);

  it('K05 was found', () => {
    expect(taking.length).toBeGreaterThan(25);
  });

  it.each(POISONS)('%s is refused', async (_, poison, status, word = '') => {
    await refused(status, async (route) => {
      const answer = await ask(route, poison(JSON.stringify(bodyOf(route))));
      // Said by the guard itself, not by another that would stand behind it.
      return answer.text.includes(word) ? answer : { ...answer, status: 0 };
    });
  });

  it.each(PLAIN_TYPES)('Q02 %s is refused', async (type) => {
    await refused(415, async (route) => ask(route, JSON.stringify(bodyOf(route)), type));
  });

  it('B10, K02 a file or bytes are refused where they are not marked', async () => {
    const types = ['multipart/form-data; boundary=x', 'application/octet-stream'];
    for (const type of types) {
      const takes = ({ marks }: Route) => (type.startsWith('multipart') ? marks.uploads === true : marks.binaryBytes !== undefined);
      const routes = taking.filter((route) => !takes(route));
      await refused(415, async (route) => ask(route, '--x--', type), routes);
      expect(routes.length).toBeGreaterThan(20);
    }
  });

  it('K04, K05 a body that is too large is refused before anybody is known, and before it is read', async () => {
    for (const route of taking) {
      const line = await statusOf(route, 'content-length: 99999999999');
      expect([nameOf(route), line]).toEqual([nameOf(route), expect.stringContaining(' 413 ')]);
    }
  });

  /** Every route answers so to whoever may use it, and nothing has changed. */
  async function refused(status: number, attack: (route: Route) => Promise<ReceivedAnswer>, routes = taking): Promise<void> {
    const before = await tenantState(team.database, team.victim.workspace);
    const faults: string[] = [];
    await sender.each(routes, async (route) => {
      const answer = await attack(route);
      const shown = team.canaries.found(answer.text);
      // OpenAI's clients know no 422.
      const wanted = status === 422 && route.url.startsWith('/v1/') ? 400 : status;
      if (answer.status !== wanted || shown.length > 0)
        faults.push(`${nameOf(route)}: ${answer.status} ${shown.join()} ${answer.text.slice(0, 150)}`);
    });
    expect(faults).toEqual([]);
    expect(await tenantState(team.database, team.victim.workspace)).toEqual(before);
    expect(Object.keys(Object.prototype)).toEqual([]);
  }

  function ask(route: Route, body: string, type = 'application/json'): Promise<ReceivedAnswer> {
    const { owner, instanceAdmin } = team.actors;
    const actor = expected(route, owner, 'token', victim) === 'allowed' ? owner : instanceAdmin;
    const bearer = route.marks.access?.public === true ? undefined : actor.token;
    return sender.send({
      method: route.method,
      target: pathTo(route.url, team.victim),
      bearer,
      bytes: body,
      headers: { 'content-type': type },
    });
  }

  /** The first line of the answer to headers alone. */
  function statusOf(route: Route, header: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
      socket.setTimeout(10_000, () => socket.destroy(new Error(`${nameOf(route)}: no answer to headers that are too large.`)));
      socket.on('error', reject);
      socket.once('data', (bytes: Buffer) => {
        resolve(bytes.toString().split('\r\n')[0] ?? '');
        socket.destroy();
      });
      socket.write(
        `${route.method} ${pathTo(route.url, team.victim)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${header}\r\n\r\n`,
      );
    });
  }
});

function withMember(body: string, member: string): string {
  return body === '{}' ? `{${member}}` : `${body.slice(0, -1)},${member}}`;
}
