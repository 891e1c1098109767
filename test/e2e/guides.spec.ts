import { rmSync } from 'node:fs';
import { SCOPES } from '@kernel/identity';
import { startApi } from '../support/api';
import { newDatabase } from '../support/databases';
import { readGuide, readGuides, runSample, workplace, type Guide } from '../support/guides';
import { describeModels } from '../support/models';

const GUIDES = readGuides();
const REQUIRED = process.env.REQUIRE_SERVICES === '1' || process.env.CI !== undefined;

/** The settings of a page with what the environment says; undefined: a service that it needs is not there. */
function settingsOf(guide: Guide): Record<string, string> | undefined {
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(guide.settings)) {
    const given = value.startsWith('$') ? process.env[value.slice(1)] : value;
    if (given === undefined) return undefined;
    settings[name] = given;
  }
  return settings;
}

/** What the samples of a page get, until it is closed. */
interface GuidePlace {
  env: Record<string, string>;
  close(): Promise<void>;
}

async function runningServer(guide: Guide, settings: Record<string, string>): Promise<GuidePlace> {
  const api = await startApi({ database: 'embedded', env: settings });
  const env: Record<string, string> = { SUTAZAI_URL: api.url };
  if (guide.server === 'used') env.SUTAZAI_KEY = await api.key((await api.register()).accessToken, [...SCOPES]);
  return { env, close: () => api.close() };
}

async function stoppedServer(): Promise<GuidePlace> {
  const place = await newDatabase('embedded');
  const target = await newDatabase('postgres');
  const api = await startApi({ database: 'embedded', env: { DATA_DIR: place.directory } });
  await api.register();
  await api.close();
  return {
    env: { DATA_DIR: place.directory, NEW_DATABASE_URL: target.url ?? '' },
    close: async () => {
      await place.drop();
      await target.drop();
    },
  };
}

describe('reading a guide', () => {
  it('takes what can be run, with what it promises, and knows what is only shown', () => {
    const page = [
      '<!-- server: fresh OLLAMA_URL=$TEST_OLLAMA_URL -->',
      '```bash expect="\\"ready\\""',
      'echo ready',
      '```',
      '```bash no-run',
      'npm start',
      '```',
      '```json',
      '{}',
      '```',
      '```js',
      'console.log(1);',
      '```',
    ].join('\n');
    expect(readGuide('page.md', page)).toEqual({
      name: 'page.md',
      server: 'fresh',
      settings: { OLLAMA_URL: '$TEST_OLLAMA_URL' },
      shown: 1,
      samples: [
        { line: 2, language: 'bash', code: 'echo ready\n', expected: '"ready"' },
        { line: 11, language: 'js', code: 'console.log(1);\n', expected: null },
      ],
    });
  });

  it.each([
    ['ends badly', { line: 1, language: 'bash', code: 'false\n', expected: null }],
    ['says something else', { line: 1, language: 'bash', code: 'echo no\n', expected: 'yes' }],
  ] as const)('fails for a sample that %s', async (_, sample) => {
    const folder = workplace({ name: 'self-test', samples: [], shown: 0, server: 'used', settings: {} });
    await expect(runSample(sample, folder, {})).rejects.toThrow('line 1');
    rmSync(folder, { recursive: true });
  });
});

describeModels('the samples of the guides', () => {
  it('are there', () => {
    expect(GUIDES.reduce((sum, guide) => sum + guide.samples.length, 0)).toBeGreaterThan(0);
  });

  for (const guide of GUIDES.filter(({ samples }) => samples.length > 0)) {
    const settings = settingsOf(guide);
    if (settings === undefined && !REQUIRED) {
      describe.skip(`${guide.name}: needs ${Object.values(guide.settings).join(', ')}`, () => it('runs', () => undefined));
      continue;
    }
    describe(guide.name, () => {
      let place: GuidePlace;
      let broken = false;
      const folder = workplace(guide);
      beforeAll(async () => {
        if (settings === undefined) throw new Error(`${guide.name} needs ${Object.values(guide.settings).join(', ')}.`);
        place = guide.server === 'stopped' ? await stoppedServer() : await runningServer(guide, settings);
      });
      afterAll(async () => {
        await place?.close();
        rmSync(folder, { recursive: true });
      });

      for (const sample of guide.samples) {
        it(`line ${sample.line}: ${sample.code.trim().split('\n', 1)[0]?.slice(0, 80)}`, async () => {
          // A page is one story: what follows a broken sample would fail for its sake.
          if (broken) throw new Error('An earlier sample of this page failed.');
          broken = true;
          await runSample(sample, folder, place.env);
          broken = false;
        }, 150_000);
      }
    });
  }
});
