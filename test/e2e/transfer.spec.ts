import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { FileBlobs } from '@backing/blobs';
import { openSource, PostgresBlobs, PostgresClient, sql } from '@backing/postgres';
import type { Manifest, TransferOptions } from '@features/transfer';
import { Collections, Search } from '@features/vectors';
import type { Blobs } from '@kernel/blobs';
import { parseConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { v7 } from 'uuid';
import { transfer } from '../../apps/transfer/src/transfer';
import { startApi, type Registered, type TestApi } from '../support/api';
import { describeDatabases, newDatabase } from '../support/databases';
import { describeModels } from '../support/models';

const PASSWORD = 'correct horse battery staple';
/** What breaks careless formats: line ends of Unicode, quotes, escapes, the null of JSON, braces of arrays. */
const NASTY = 'line\u2028end\u2029, "quotes", \\n back\\slash, {a,b}, tab\tand emoji 😀';
const TEXTS = {
  'bees.md':
    '# Bees\n\nA hive of bees keeps about 20 kilograms of honey through the winter.\n\nThe queen lays up to 2000 eggs a day in summer.',
  'ships.md': '# Ships\n\nThe lighthouse of Skagen was built in 1858.\n\nShips signal fog with one long blast every two minutes.',
};
const quiet: TransferOptions = { signal: new AbortController().signal, say: () => undefined };

type Place = Record<string, string>;

describeDatabases('Moving everything', (kind) => {
  describeModels('with real documents', () => {
    const root = mkdtempSync(join(tmpdir(), 'sutazai-transfer-'));
    const source: Place = { DATA_DIR: join(root, 'source') };
    const drops: (() => Promise<void>)[] = [];
    let owner: Registered;
    let secret: string;
    let hits: unknown;
    let archive: string;
    let manifest: Manifest;

    const go = (direction: 'export' | 'import', folder: string, env: Place, options = quiet) =>
      transfer(direction, folder, parseConfig({ ...env, LOG_LEVEL: 'silent' }), options);
    /** A database that nobody has used, with a data directory of its own; an `empty` one has no tables either. */
    const newPlace = async (to = kind, empty = false): Promise<Place> => {
      const { url, directory, drop } = await newDatabase(to, empty);
      drops.push(drop);
      return { DATA_DIR: directory, ...(url === undefined ? {} : { DATABASE_URL: url, BLOB_URL: 'postgres:' }) };
    };
    const serve = (env: Place): Promise<TestApi> => startApi({ database: 'embedded', env });
    const search = async (api: TestApi): Promise<unknown> => {
      const collections = await api.app.get(Collections, { strict: false }).resolve(owner.workspaceId, ['default']);
      const account = { workspaceId: owner.workspaceId, userId: owner.userId, apiKeyId: null, jobId: null };
      const found = await api.app
        .get(Search, { strict: false })
        .search({ collections, query: 'How much honey does a hive keep?', limit: 5, signal: quiet.signal, account });
      return found.map(({ id, score, text }) => ({ id, score, text }));
    };
    const rowsOf = async (env: Place, table: string): Promise<number> => {
      const folder = join(root, `look-${v7()}`);
      return (await go('export', folder, env)).tables[table]?.rows ?? -1;
    };

    beforeAll(async () => {
      const api = await serve(source);
      owner = await api.register();
      secret = await api.key(owner.accessToken, ['chat', 'documents:read']);
      for (const [name, text] of Object.entries(TEXTS)) {
        const form = new FormData();
        form.set('file', new File([text], name, { type: 'text/markdown' }));
        const { status, json } = await api.post('/api/v1/documents', form, owner.accessToken);
        expect(status).toBe(202);
        const { job } = json as unknown as { job?: { id: string }; job_id?: string };
        const id = job?.id ?? String((json as Record<string, unknown>).job_id);
        for (let state = 'queued'; state !== 'succeeded'; ) {
          state = String((await api.get(`/api/v1/jobs/${id}`, owner.accessToken)).json.status);
          expect(['queued', 'running', 'succeeded']).toContain(state);
        }
      }
      const session = await api.post('/api/v1/chat/sessions', { title: NASTY, options: { max_tokens: 8 } }, owner.accessToken);
      await api.post(`/api/v1/chat/sessions/${String(session.json.id)}/messages?wait=30`, { content: NASTY }, owner.accessToken);
      const client = api.app.get(PostgresClient, { strict: false });
      await client.query(sql`UPDATE jobs SET result = 'null'::jsonb WHERE kind = 'chat.answer'`);
      await client.query(sql`UPDATE chat_sessions SET collections = ${['default', NASTY]}::text[]`);
      hits = await search(api);
      expect(hits).toHaveLength(2);
      await api.close();
      archive = join(root, 'archive');
      manifest = await go('export', archive, source);
    });
    afterAll(async () => {
      for (const drop of drops) await drop();
      rmSync(root, { recursive: true, force: true });
    });

    it('keeps every row and blob, there and back', async () => {
      expect(manifest.tables.documents?.rows).toBe(2);
      expect(manifest.tables.points?.rows).toBeGreaterThanOrEqual(4);
      expect(manifest.tables.chat_messages?.rows).toBe(2);
      expect(manifest.blobs.count).toBe(4);
      const there = await newPlace(kind, true);
      await go('import', archive, there);
      const second = await go('export', join(root, 'second'), there);
      const back = await newPlace('embedded', true);
      await go('import', join(root, 'second'), back);
      const third = await go('export', join(root, 'third'), back);
      for (const copy of [second, third]) expect({ ...copy, created_at: '' }).toEqual({ ...manifest, created_at: '' });
      for (const place of [there, back]) {
        const api = await serve(place);
        expect(await search(api)).toEqual(hits);
        expect((await api.get('/api/v1/auth/me', secret)).status).toBe(200);
        const login = await api.post('/api/v1/auth/login', { email: 'first@example.org', password: PASSWORD });
        expect(login.status).toBe(200);
        const listed = await api.get('/api/v1/documents', secret);
        const documents = listed.json.data as unknown as { id: string; name: string }[];
        expect(documents.map(({ name }) => name).sort()).toEqual(['bees.md', 'ships.md']);
        await api.close();
      }
    });

    it('tells the owner alone what an archive holds', () => {
      expect(readdirSync(archive).sort()).toEqual(['blobs', 'blobs.ndjson.gz', 'manifest.json', 'tables']);
      expect(JSON.parse(readFileSync(join(archive, 'manifest.json'), 'utf8'))).toEqual(manifest);
    });

    it('refuses a target that holds something, and leaves it alone', async () => {
      const used = await newPlace();
      await go('import', archive, used);
      await expect(go('import', archive, used)).rejects.toMatchObject({ code: 'conflict' });
      expect(await rowsOf(used, 'documents')).toBe(2);
      await expect(go('export', archive, used)).rejects.toMatchObject({ code: 'conflict' });
      expect(existsSync(join(archive, 'manifest.json'))).toBe(true);
    });

    describe('with blobs that are there already', () => {
      const place = async (): Promise<{
        env: Place;
        put(key: string, content: Buffer): Promise<void>;
        read(key: string): Promise<Buffer>;
      }> => {
        const env = await newPlace();
        const open = async <T>(use: (blobs: Blobs) => Promise<T>): Promise<T> => {
          const config = parseConfig(env);
          if (config.blobs.driver === 'files') return use(new FileBlobs(config));
          const { source, embedded } = await openSource(config);
          const client = new PostgresClient(source, embedded);
          return use(new PostgresBlobs(client)).finally(() => client.onApplicationShutdown());
        };
        return {
          env,
          put: (key, content) => open(async (blobs) => void (await blobs.put(key, content))),
          read: (key) => open((blobs) => blobs.get(key)),
        };
      };
      /** Of the kind that is copied last, so that others are copied before it. */
      const last = (): string => {
        const lines = gunzipSync(readFileSync(join(archive, 'blobs.ndjson.gz')))
          .toString()
          .trim()
          .split('\n');
        return (JSON.parse(lines.at(-1) ?? '') as [string])[0];
      };
      const FOREIGN = `documents/${v7()}/1`;

      it('refuses another content under a key of its own before it writes, and leaves everything', async () => {
        const { env, put, read } = await place();
        await put(last(), Buffer.from('of somebody else'));
        await put(FOREIGN, Buffer.from('foreign'));
        const said: string[] = [];
        const listening = { ...quiet, say: (line: string) => said.push(line) };
        await expect(go('import', archive, env, listening)).rejects.toMatchObject({
          code: 'conflict',
          message: expect.stringContaining(last()),
        });
        expect(said).toEqual([]);
        expect([(await read(last())).toString(), (await read(FOREIGN)).toString()]).toEqual(['of somebody else', 'foreign']);
        const left = await go('export', join(root, `left-${v7()}`), env);
        expect([left.blobs.count, left.tables.users?.rows]).toEqual([2, 0]);
      });

      it('takes back what it wrote and nothing else when it fails later, and keeps the same content when it succeeds', async () => {
        const { env, put, read } = await place();
        const same = readFileSync(join(archive, 'blobs', last()));
        await put(last(), same);
        await put(FOREIGN, Buffer.from('foreign'));
        const stop = new AbortController();
        const say = (line: string): void => (line.startsWith('blobs:') ? stop.abort(new AppError('cancelled', 'Stopped.')) : undefined);
        await expect(go('import', archive, env, { signal: stop.signal, say })).rejects.toMatchObject({ code: 'cancelled' });
        expect([(await read(last())).equals(same), (await read(FOREIGN)).toString()]).toEqual([true, 'foreign']);
        expect((await go('export', join(root, `left-${v7()}`), env)).blobs.count).toBe(2);
        await go('import', archive, env);
        expect((await read(FOREIGN)).toString()).toBe('foreign');
        expect((await go('export', join(root, `left-${v7()}`), env)).blobs.count).toBe(manifest.blobs.count + 1);
      });
    });

    it('takes a target whose server has started but that nobody has used', async () => {
      const place = await newPlace();
      await (await serve(place)).close();
      await go('import', archive, place);
      expect(await rowsOf(place, 'users')).toBe(1);
    });

    describe('with an archive that is not as it was written', () => {
      /** A copy of the archive with one file changed. */
      const changed = (path: string, change: (content: Buffer) => Buffer | undefined): (() => void) => {
        const file = join(archive, path);
        const former = readFileSync(file);
        const content = change(former);
        if (content === undefined) rmSync(file);
        else writeFileSync(file, content);
        return () => writeFileSync(file, former);
      };
      const edit = (edited: (text: string) => string) => (content: Buffer) => gzipSync(edited(gunzipSync(content).toString()));
      const manifestWith = (changes: object) => () => Buffer.from(JSON.stringify({ ...manifest, ...changes }));
      const points = join('tables', 'points.ndjson.gz');

      it.each([
        ['a changed row', points, edit((text) => text.replace('20 kilograms', '90 kilograms')), 'unprocessable', 'points'],
        ['a missing row', points, edit((text) => text.slice(text.indexOf('\n') + 1)), 'unprocessable', 'points'],
        ['a line that is no row', points, edit((text) => `{}\n${text}`), 'unprocessable', 'points'],
        ['half a line', points, edit((text) => text.slice(0, -20)), 'unprocessable', 'points'],
        ['half a file', points, (content: Buffer) => content.subarray(0, content.length / 2), 'unprocessable', 'points'],
        ['no file', points, () => undefined, 'unprocessable', 'points'],
        ['a changed blob list', 'blobs.ndjson.gz', edit((text) => text.slice(text.indexOf('\n') + 1)), 'unprocessable', 'blobs'],
        ['no manifest', 'manifest.json', () => undefined, 'unprocessable', 'manifest'],
        ['a manifest that is none', 'manifest.json', () => Buffer.from('{'), 'unprocessable', 'manifest'],
        ['another schema', 'manifest.json', manifestWith({ migrations: ['Future9999999999999'] }), 'conflict', 'Future9999999999999'],
      ] as const)('refuses %s and leaves the target empty', async (_, path, change, code, named) => {
        const place = await newPlace();
        const restore = changed(path, change as (content: Buffer) => Buffer | undefined);
        try {
          await expect(go('import', archive, place)).rejects.toMatchObject({ code, message: expect.stringContaining(named) });
        } finally {
          restore();
        }
        const left = await go('export', join(root, `left-${v7()}`), place);
        expect(Object.values(left.tables).reduce((sum, { rows }) => sum + rows, 0)).toBe(0);
        expect(left.blobs.count).toBe(0);
      });

      it('refuses a damaged blob, and takes back the blobs before it', async () => {
        const place = await newPlace();
        const kinds = readdirSync(join(archive, 'blobs')).sort();
        const folder = join('blobs', kinds.at(-1) ?? '');
        const file =
          (readdirSync(join(archive, folder), { recursive: true }) as string[])
            .filter((name) => /\/\d+$/.test(name))
            .sort()
            .at(-1) ?? '';
        const restore = changed(join(folder, file), (content) => Buffer.concat([content, Buffer.from('x')]));
        try {
          await expect(go('import', archive, place)).rejects.toMatchObject({
            code: 'unprocessable',
            message: expect.stringContaining('blob'),
          });
        } finally {
          restore();
        }
        const left = await go('export', join(root, `left-${v7()}`), place);
        expect([left.blobs.count, left.tables.users?.rows]).toEqual([0, 0]);
      });
    });

    it('leaves nothing behind when it is stopped', async () => {
      const place = await newPlace();
      for (const direction of ['export', 'import'] as const) {
        const stop = new AbortController();
        // At the first table that is told of, in the middle of the work.
        const options = { signal: stop.signal, say: () => stop.abort(new AppError('cancelled', 'Stopped.')) };
        const folder = direction === 'export' ? join(root, 'stopped') : archive;
        await expect(go(direction, folder, direction === 'export' ? source : place, options)).rejects.toMatchObject({ code: 'cancelled' });
      }
      expect(readdirSync(root).filter((name) => name.startsWith('stopped'))).toEqual([]);
      expect(await rowsOf(place, 'users')).toBe(0);
    });

    it('does not run beside a server on the same directory', async () => {
      const place = await newPlace();
      const api = await serve(place);
      await expect(go('export', join(root, 'beside'), place)).rejects.toThrow('is in use by the process');
      await api.close();
    });
  });
});
