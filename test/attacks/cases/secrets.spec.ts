import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { AppLog } from '@kernel/log';
import { startApi, type TestApi } from '../../support/api';
import { loadScript } from '../../scripts/load-script';

interface Scan {
  scanForSecrets(folder: string): Promise<{ lines: number; found: { file: string; line: number; what: string }[] }>;
}

const canary = (): string => `canary-${randomBytes(16).toString('hex')}`;

describe('N01 secrets sent to the server', () => {
  let api: TestApi;
  let folder: string;
  let token: string;
  const before = process.env.TEST_TRACES;
  /** Each by where it was sent. */
  const sent: Record<string, string> = {};
  const secret = (place: string): string => (sent[place] ??= canary());

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sutazai-traces-'));
    process.env.TEST_TRACES = folder;
    api = await startApi({
      database: 'embedded',
      env: {
        JWT_SECRET: secret('setting JWT_SECRET'),
        JWT_SECRET_PREVIOUS: secret('setting JWT_SECRET_PREVIOUS'),
        RATE_LIMIT_PER_MINUTE: '10000',
      },
    });
    token = (await api.register()).accessToken;
    await sendEverywhere();
    await api.close();
  });
  afterAll(() => {
    if (before === undefined) delete process.env.TEST_TRACES;
    else process.env.TEST_TRACES = before;
    rmSync(folder, { recursive: true });
  });

  async function sendEverywhere(): Promise<void> {
    const key = await api.key(token, ['documents:read', 'chat']);
    await api.get('/api/v1/auth/me', key);
    for (const bearer of [secret('wrong bearer'), `sk-${secret('wrong key')}`, `eyJhbGciOiJub25lIn0.${secret('wrong token')}.`])
      await api.get('/api/v1/auth/me', bearer);
    await api.request('/api/v1/auth/me', { headers: { authorization: `Basic ${btoa(`ada:${secret('basic password')}`)}` } });
    await api.request('/no/such/path', { headers: { authorization: `Basic ${btoa(`ada:${secret('basic password, unknown path')}`)}` } });
    await api.request('/livez', { headers: { 'x-api-key': secret('foreign header'), cookie: `session=${secret('cookie')}` } });
    await api.get(`/api/v1/auth/me?access_token=${secret('query')}`);
    await api.get(`/api/v1/documents/${secret('path')}`, token);
    await api.get(`/${secret('unknown path')}`);
    await api.post('/api/v1/auth/login', { email: 'first@example.org', password: secret('wrong password') });
    await api.post('/api/v1/auth/login', { email: `${secret('wrong e-mail')}@example.org`, password: 'long enough to be one' });
    await api.post('/api/v1/auth/login', {
      email: 'first@example.org',
      password: 'long enough',
      [secret('unknown member')]: secret('unknown value'),
    });
    await api.post('/api/v1/auth/refresh', { refresh_token: secret('wrong refresh token') });
    await api.post('/api/v1/auth/register', {
      email: 'x@example.org',
      password: secret('password of a refused registration'),
      setup_token: secret('setup token'),
    });
    await api.request('/api/v1/auth/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: undefined });
    await fetch(`${api.url}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"password":"${secret('broken JSON')}"`,
    });
    await api.post('/v1/chat/completions', { model: 'none', messages: [{ role: 'user', content: secret('question to no model') }] }, token);
    await api.post('/api/v1/chat/sessions', { title: secret('title'), system: secret('system prompt'), model: 7 }, token);
    await api.post('/api/v1/agents', { name: 'a', tools: [secret('tool')], instructions: secret('instructions') }, token);
    await api.post(
      '/api/v1/documents',
      { url: `http://ada:${secret('password in an address')}@127.0.0.1:1/x`, collection: 'default' },
      token,
    );
    await api.request('/livez', { headers: { 'x-request-id': `bad id ${secret('request id')}` } });
  }

  function traces(): string {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.log'))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n');
  }

  it('N01 left traces of the requests themselves', () => {
    const text = traces();
    for (const known of [
      '"route":"/api/v1/auth/login"',
      '"status":401',
      'answer /api/v1/auth/me 401',
      '# TYPE http_request_duration_seconds',
    ])
      expect(text).toContain(known);
  });

  it('N01 are in no log line, error answer, event, audit entry or metric', () => {
    const text = traces();
    // A path that somebody made up is told back to whoever sent it, in the answer that the trace begins with its path.
    const lines = text.split('\n').filter((line) => !line.startsWith('answer /'));
    const answers = text
      .split('\n')
      .filter((line) => line.startsWith('answer /'))
      .map((line) => line.split(' ').slice(2).join(' '));
    const leaked = Object.entries(sent).filter(([, value]) => lines.some((line) => line.includes(value)));
    expect(leaked.map(([place]) => place)).toEqual([]);
    const told = Object.entries(sent).filter(([, value]) => answers.some((line) => line.includes(value)));
    // The names of what was not understood are told back to whoever sent them, as the contract asks; their values never.
    expect(told.map(([place]) => place)).toEqual(['unknown member', 'tool']);
  });

  it('N01 and what the server made itself are not found by the search over all suites', async () => {
    const { scanForSecrets } = await loadScript<Scan>('test/secrets-scan.mjs');
    const { lines, found } = await scanForSecrets(folder);
    expect(lines).toBeGreaterThan(50);
    expect(found.filter(({ what }) => what.includes('key') || what.includes('token'))).toEqual([]);
  });

  it('N01 stay out of the log although a whole request is handed to it', () => {
    const lines: string[] = [];
    const value = canary();
    new AppLog('trace', { write: (line: string) => void lines.push(line) }).log({
      msg: 'request',
      status: 200,
      body: { password: value },
      headers: { authorization: value },
      url: `/x?token=${value}`,
    });
    expect(lines).toEqual([expect.stringContaining('"status":200')]);
    expect(lines.join('')).not.toContain(value);
  });
});
