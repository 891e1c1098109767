import { sql } from '@backing/postgres';
import { startApi, type TestApi } from '../../support/api';
import { ACTORS, bearersOf, openTeam, tenantState, type Team } from './index';

describe('a team to attack', () => {
  let api: TestApi;
  let team: Team;
  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000' } });
    team = await openTeam(api);
  });
  afterAll(() => api?.close());

  it('has actors whose tokens and keys are what they say', async () => {
    for (const actor of ACTORS.map((name) => team.actors[name])) {
      for (const { via, bearer } of bearersOf(actor)) {
        const { status, json } = await api.get('/api/v1/auth/me', bearer);
        expect([actor.name, via, status]).toEqual([actor.name, via, actor.alive ? 200 : 401]);
        if (actor.alive) expect(json).toMatchObject({ user: { id: actor.userId }, workspace: { id: actor.workspaceId } });
      }
    }
  });

  it('has one of everything, which its owner can read and which is full of canaries', async () => {
    const { collection, point, document, session, message, job, agent, run } = team.victim;
    const messages = `/api/v1/chat/sessions/${session}/messages`;
    for (const path of [
      `/api/v1/vectors/collections/${collection}`,
      `/api/v1/vectors/collections/${collection}/points/${point}`,
      `/api/v1/documents/${document}`,
      `/api/v1/documents/${document}/text`,
      `/api/v1/documents/${document}/chunks`,
      `/api/v1/documents/${document}/content`,
      `/api/v1/chat/sessions/${session}`,
      messages,
      `${messages}/${message}`,
      `/api/v1/jobs/${job}`,
      `/api/v1/jobs/${job}/events`,
      `/api/v1/agents/${agent}`,
      `/api/v1/agents/runs/${run}`,
      '/api/v1/auth/keys',
    ]) {
      const { status, text } = await api.get(path, team.actors.owner.token);
      expect([path, status]).toEqual([path, 200]);
      expect([path, team.canaries.found(text).length]).toEqual([path, 1]);
    }
  });

  it('sees a canary, a secret, a stack and a statement in a text', () => {
    for (const text of [
      `x${team.canaries.mark}y`,
      String(team.actors.viewer.key),
      'Error: no\n    at run (/srv/app.js:1:2)',
      'SELECT id FROM users WHERE true',
      '$argon2id$v=19$',
    ])
      expect(team.canaries.found(text)).not.toEqual([]);
    team.expectClean('{"code":"not_found","detail":"Nothing with this id was found."}');
  });

  it('has a state that every change of one row changes, in its table alone', async () => {
    const before = await tenantState(team.database, team.victim.workspace);
    expect(Object.keys(before)).toEqual(
      expect.arrayContaining(['agent_steps', 'documents', 'job_events', 'memberships', 'refresh_tokens', 'users']),
    );
    expect(before).toEqual(await tenantState(team.database, team.victim.workspace));
    await team.database.query(sql`UPDATE job_events SET data = '{}' WHERE job_id = ${team.victim.job}::uuid AND seq = 1`);
    const after = await tenantState(team.database, team.victim.workspace);
    expect(Object.keys(after).filter((table) => after[table]?.hash !== before[table]?.hash)).toEqual(['job_events']);
  });
});
