import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openSource } from '@backing/postgres';
import { describeDatabases, newDatabase } from '../support/databases';

interface JournalOf {
  invoke(op: string, key: string, value: object): void;
  ok(op: string, key: string, value: object): void;
  fail(op: string, key: string, value: unknown): void;
  unknown(op: string, key: string, value: unknown): void;
}
interface Facts {
  query(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  journal: JournalOf;
  reads: Map<string, object[]>;
  queues: { name: string; messages: number }[];
  generations: { key: string; last: number }[];
}
type Violation = { invariant: string; text: string };
const FAULTS = join(__dirname, '..', 'faults');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A database in which everything was done as it should be: a document, a deleted one, a failed one, an answer, a cancelled one, and a run. */
class Scene {
  readonly workspace = randomUUID();
  readonly owner = randomUUID();
  readonly space = randomUUID();
  readonly table = `vectors_${randomUUID().replaceAll('-', '')}`;
  readonly collection = randomUUID();
  readonly document = randomUUID();
  readonly deleted = randomUUID();
  readonly failed = randomUUID();
  readonly point = randomUUID();
  readonly session = randomUUID();
  readonly run = randomUUID();
  readonly jobs: Record<'ingest' | 'answer' | 'cancelled' | 'run' | 'poison', string> = {
    ingest: randomUUID(),
    answer: randomUUID(),
    cancelled: randomUUID(),
    run: randomUUID(),
    poison: randomUUID(),
  };

  constructor(readonly facts: Facts) {}

  async build(): Promise<void> {
    await this.accounts();
    await this.ledger();
    await this.job('ingest', 'documents.ingest', this.document, 'succeeded', [['accepted'], ['started'], ['done']]);
    await this.job('poison', 'documents.ingest', this.failed, 'failed', [['accepted'], ['started'], ['error']]);
    const words = [['accepted'], ['started'], ['delta', 'old '], ['reset'], ['started'], ['delta', 'two '], ['delta', 'words'], ['done']];
    await this.job('answer', 'chat.answer', this.session, 'succeeded', words);
    await this.job('cancelled', 'chat.answer', this.session, 'cancelled', [['accepted'], ['cancelled']]);
    await this.job('run', 'agents.run', null, 'succeeded', [['accepted'], ['started'], ['delta', '42'], ['done']]);
    await this.conversation();
    this.told();
  }

  query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return this.facts.query(text, values);
  }

  private async accounts(): Promise<void> {
    await this.query(`INSERT INTO users (id, email, password_hash) VALUES ($1, 'a@example.org', 'x')`, [this.owner]);
    await this.query(`INSERT INTO workspaces (id, name, owner_id) VALUES ($1, 'w', $2)`, [this.workspace, this.owner]);
    await this.query(
      `INSERT INTO spaces (id, store, model, dimensions, metric, version, physical_name) VALUES ($1, 'pgvector', 'm', 2, 'cosine', 1, $2)`,
      [this.space, this.table],
    );
    await this.query(
      `CREATE TABLE ${this.table} (physical_id uuid PRIMARY KEY, collection_id uuid NOT NULL, embedding vector(2) NOT NULL)`,
    );
    await this.query(`INSERT INTO collections (id, workspace_id, owner_id, name, space_id) VALUES ($1, $2, $3, 'default', $4)`, [
      this.collection,
      this.workspace,
      this.owner,
      this.space,
    ]);
  }

  private async ledger(): Promise<void> {
    for (const [id, key, status, visible, chunks] of [
      [this.document, 'good', 'ready', 1, 1],
      [this.failed, 'poison', 'failed', null, 0],
    ] as const) {
      await this.query(
        `INSERT INTO documents (id, workspace_id, owner_id, collection_id, name, external_id, media_type, bytes, sha256, status, visible_version, chunks)
         VALUES ($1, $2, $3, $4, 'd', $5, 'text/plain', 4, $6, $7, $8, $9)`,
        [id, this.workspace, this.owner, this.collection, key, sha256(key), status, visible, chunks],
      );
      await this.query(`INSERT INTO blobs (key, content_id, bytes, sha256) VALUES ($1, gen_random_uuid(), 4, $2)`, [
        `documents/${id}/1`,
        sha256(key),
      ]);
    }
    await this.chunk(this.document, 0, this.point);
  }

  /** Past the watch: as if its job had been open. */
  async chunk(document: string, ordinal: number, physical: string): Promise<void> {
    const vector = Buffer.from(Float32Array.from([0.6, 0.8]).buffer);
    await this.query('ALTER TABLE points DISABLE TRIGGER USER');
    await this.query(
      `INSERT INTO points (collection_id, id, physical_id, space_id, workspace_id, owner_id, document_id, document_version, kind, ordinal, text, vector, vector_sha256)
       VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 'chunk', $8, 'text', $9, ''::bytea)`,
      [this.collection, physical, physical, this.space, this.workspace, this.owner, document, ordinal, vector],
    );
    await this.query('ALTER TABLE points ENABLE TRIGGER USER');
    await this.query(`INSERT INTO ${this.table} VALUES ($1, $2, '[0.6,0.8]')`, [physical, this.collection]);
  }

  private async job(name: keyof Scene['jobs'], kind: string, subject: string | null, status: string, events: string[][]): Promise<void> {
    const error = status === 'failed' ? JSON.stringify({ code: 'unprocessable', message: 'It cannot be read.', retryable: false }) : null;
    await this.query(
      `INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, subject_id, status, attempt, max_attempts, epoch, last_seq, error, progress)
       VALUES ($1, $2, $3, $4, 1, '{}', $5, $6, 1, 5, 2, $7, $8::jsonb, '{"done": 8, "total": 8}')`,
      [this.jobs[name], this.workspace, this.owner, kind, subject, status, events.length, error],
    );
    const seen: object[] = [];
    for (const [at, [event, text]] of events.entries()) {
      const data = text === undefined ? {} : { text };
      await this.query(`INSERT INTO job_events (job_id, seq, event, data) VALUES ($1, $2, $3, $4::jsonb)`, [
        this.jobs[name],
        at + 1,
        event,
        JSON.stringify(data),
      ]);
      seen.push({ id: at + 1, event, data });
    }
    this.facts.reads.set(this.jobs[name], seen);
  }

  private async conversation(): Promise<void> {
    await this.query(`INSERT INTO chat_sessions (id, workspace_id, owner_id) VALUES ($1, $2, $3)`, [
      this.session,
      this.workspace,
      this.owner,
    ]);
    for (const [role, content, status, job] of [
      ['user', 'good question', 'complete', null],
      ['assistant', 'two words', 'complete', this.jobs.answer],
      ['user', 'cancelled question', 'complete', null],
      ['assistant', '', 'cancelled', this.jobs.cancelled],
    ])
      await this.query(
        `INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, role, content, status, job_id) VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7)`,
        [this.session, this.workspace, this.owner, role, content, status, job],
      );
    await this.query(
      `INSERT INTO agent_runs (id, workspace_id, owner_id, job_id, agent, input, status, output) VALUES ($1, $2, $3, $4, '{}', 'good run', 'succeeded', '42')`,
      [this.run, this.workspace, this.owner, this.jobs.run],
    );
    await this.query(
      `INSERT INTO agent_steps (run_id, step, kind, call_id, tool, started_at) VALUES ($1, 1, 'tool', 'sum', 'calculate', now())`,
      [this.run],
    );
  }

  private told(): void {
    const { journal } = this.facts;
    const { ingest, answer, cancelled, run, poison } = this.jobs;
    const say = (op: string, key: string, value: object, result: object): void => {
      journal.invoke(op, key, value);
      journal.ok(op, key, result);
    };
    say('upload', 'good', { sha256: sha256('good') }, { document: this.document, job: ingest });
    say('upload', 'poison', { sha256: sha256('poison'), poison: true }, { document: this.failed, job: poison });
    say('delete', 'gone', { document: this.deleted }, {});
    say('ask', 'good question', {}, { job: answer });
    say('ask', 'cancelled question', {}, { job: cancelled });
    say('cancel', cancelled, { job: cancelled, question: 'cancelled question' }, {});
    say('run', 'good run', {}, { job: run });
    journal.invoke('upload', 'refused', { sha256: sha256('refused') });
    journal.fail('upload', 'refused', '503');
    journal.invoke('leave', ingest, { job: ingest });
    this.facts.generations.push({ key: 'cancelled question', last: Number(process.hrtime.bigint()) / 1e6 });
  }
}

/** What is done to the scene, and the invariant that it breaks; `also` are others that see the same. */
const PLANTS: [string, string, (scene: Scene) => Promise<unknown> | void, string[]?][] = [
  ['I1', 'an accepted job is not there', (s) => s.facts.journal.ok('run', 'lost', { job: randomUUID() }), ['I25']],
  [
    'I1',
    'a job never ends',
    (s) =>
      s.query(
        `INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, max_attempts, last_seq) VALUES (gen_random_uuid(), $1, $2, 'x', 1, '{}', 1, 0)`,
        [s.workspace, s.owner],
      ),
  ],
  [
    'I2',
    'a job that has ended ends otherwise',
    (s) => s.query(`UPDATE jobs SET status = 'failed', error = '{"code":"internal","message":"x"}' WHERE id = $1`, [s.jobs.run]),
    ['I7'],
  ],
  [
    'I2',
    'an event comes after the end',
    (s) => s.query(`INSERT INTO job_events (job_id, seq, event, data) VALUES ($1, 99, 'delta', '{}')`, [s.jobs.run]),
    ['I16', 'I18'],
  ],
  ['I3', 'a document has a chunk too many', (s) => s.chunk(s.document, 1, randomUUID())],
  [
    'I3',
    'a committed batch was embedded again',
    (s) =>
      s.query(
        `INSERT INTO usage (id, workspace_id, user_id, job_id, operation, model, input_tokens, output_tokens, seconds) SELECT gen_random_uuid(), $1, $2, $3, 'embed', 'm', 1, 0, 0 FROM generate_series(1, 2)`,
        [s.workspace, s.owner, s.jobs.ingest],
      ),
  ],
  [
    'I3',
    'a tool call was recorded twice',
    (s) =>
      s.query(`INSERT INTO agent_steps (run_id, step, kind, call_id, tool, started_at) VALUES ($1, 2, 'tool', 'sum', 'calculate', now())`, [
        s.run,
      ]),
  ],
  ['I4', 'a second worker takes a job whose lease is valid', (s) => leased(s, `epoch = epoch + 1, lease_holder = 'other'`)],
  ['I4', 'the epoch of a job goes back', (s) => leased(s, `epoch = epoch - 1`)],
  [
    'I5',
    'an event comes after the cancel',
    (s) => s.query(`INSERT INTO job_events (job_id, seq, event, data) VALUES ($1, 3, 'delta', '{"text":"late"}')`, [s.jobs.cancelled]),
    ['I16', 'I18'],
  ],
  [
    'I5',
    'the answer of a cancelled job is complete',
    (s) => s.query(`UPDATE chat_messages SET status = 'complete' WHERE job_id = $1`, [s.jobs.cancelled]),
  ],
  ['I5', 'a chunk is written for a job that is over', (s) => lateChunk(s), ['I3', 'I10']],
  ['I6', 'what was refused is there', (s) => s.query(`UPDATE documents SET external_id = 'refused' WHERE id = $1`, [s.failed]), ['I25']],
  [
    'I6',
    'a question was accepted twice',
    (s) =>
      s.query(
        `INSERT INTO chat_messages (id, session_id, workspace_id, owner_id, role, content, status) VALUES (gen_random_uuid(), $1, $2, $3, 'user', 'good question', 'complete')`,
        [s.session, s.workspace, s.owner],
      ),
  ],
  ['I7', 'a job was tried too often', (s) => s.query(`UPDATE jobs SET attempt = 6 WHERE id = $1`, [s.jobs.answer])],
  [
    'I7',
    'a job failed without a reason',
    (s) =>
      s.query(`ALTER TABLE jobs DISABLE TRIGGER USER`).then(() => s.query(`UPDATE jobs SET error = NULL WHERE id = $1`, [s.jobs.poison])),
  ],
  [
    'I8',
    'a message is left in the outbox',
    (s) => s.query(`INSERT INTO outbox (id, job_id, kind) VALUES (gen_random_uuid(), $1, 'x')`, [s.jobs.run]),
  ],
  ['I8', 'a message is left in a queue', (s) => void s.facts.queues.push({ name: 'sutazai.jobs.dead', messages: 1 })],
  ['I10', 'a vector is not in the store', (s) => s.query(`DELETE FROM ${s.table}`)],
  ['I10', 'a vector has another number in the store', (s) => s.query(`UPDATE ${s.table} SET embedding = '[0.6,0.8000001]'`)],
  [
    'I10',
    'the store has a vector of nobody',
    (s) => s.query(`INSERT INTO ${s.table} VALUES (gen_random_uuid(), $1, '[1,0]')`, [s.collection]),
  ],
  [
    'I12',
    'a blob of a deleted document is left',
    (s) => s.query(`INSERT INTO blobs (key, content_id, bytes, sha256) VALUES ($1, gen_random_uuid(), 1, 'x')`, [`texts/${s.deleted}/1`]),
  ],
  [
    'I12',
    'an answer cites a deleted document',
    (s) =>
      s.query(`UPDATE chat_messages SET citations = $2::jsonb WHERE job_id = $1`, [
        s.jobs.answer,
        JSON.stringify([{ document_id: s.deleted }]),
      ]),
  ],
  ['I13', 'a failed document shows something', (s) => s.query(`UPDATE documents SET visible_version = 1 WHERE id = $1`, [s.failed])],
  ['I13', 'chunks of a failed document are left', (s) => s.chunk(s.failed, 0, randomUUID())],
  ['I16', 'a reader missed an event', (s) => void s.facts.reads.get(s.jobs.answer)?.splice(3, 1)],
  ['I16', 'a reader saw an event twice', (s) => void s.facts.reads.get(s.jobs.answer)?.splice(3, 0, s.facts.reads.get(s.jobs.answer)![3]!)],
  [
    'I17',
    'the stored answer is not what was told',
    (s) => s.query(`UPDATE chat_messages SET content = 'old two words' WHERE job_id = $1`, [s.jobs.answer]),
  ],
  ['I18', 'a log has a gap', (s) => s.query(`DELETE FROM job_events WHERE job_id = $1 AND seq = 2`, [s.jobs.ingest]), ['I16']],
  [
    'I18',
    'a job that has ended has no terminal event',
    (s) => s.query(`DELETE FROM job_events WHERE job_id = $1 AND event = 'done'`, [s.jobs.ingest]),
    ['I16'],
  ],
  ['I19', 'a job that nobody read was given up', (s) => s.facts.journal.invoke('leave', 'x', { job: s.jobs.poison })],
  [
    'I19',
    'the model goes on after a cancel',
    (s) => void s.facts.generations.push({ key: 'cancelled question', last: Number(process.hrtime.bigint()) / 1e6 + 2_500 }),
  ],
  ['I25', 'an acknowledged document is gone', (s) => s.query(`UPDATE documents SET external_id = NULL WHERE id = $1`, [s.document])],
  [
    'I25',
    'an acknowledged original has other bytes',
    (s) => s.query(`UPDATE blobs SET sha256 = 'x' WHERE key LIKE $1`, [`documents/${s.document}/%`]),
  ],
  ['I25', 'an acknowledged question is gone', (s) => s.query(`DELETE FROM chat_messages WHERE content = 'good question'`)],
];

async function leased(scene: Scene, change: string): Promise<void> {
  const id = randomUUID();
  await scene.query(
    `INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, max_attempts, status, epoch, last_seq, lease_holder, lease_until)
     VALUES ($1, $2, $3, 'x', 1, '{}', 1, 'running', 3, 0, 'one', now() + interval '1 minute')`,
    [id, scene.workspace, scene.owner],
  );
  await scene.query(`UPDATE jobs SET ${change} WHERE id = $1`, [id]);
  await scene.query(`DELETE FROM jobs WHERE id = $1`, [id]);
}

/** The watch sees it, and it is as soon gone again. */
async function lateChunk(scene: Scene): Promise<void> {
  await scene.query(
    `INSERT INTO points (collection_id, id, physical_id, space_id, workspace_id, owner_id, document_id, document_version, kind, ordinal, vector, vector_sha256)
     SELECT collection_id, 'late', gen_random_uuid(), space_id, workspace_id, owner_id, document_id, document_version, kind, 7, vector, vector_sha256 FROM points LIMIT 1`,
  );
}

describeDatabases('the checkers of the fault cells', (kind) => {
  let checkers: { invariant: string }[];
  let violations: (facts: Facts) => Promise<Violation[]>;
  let scene: Scene;
  let query: Facts['query'];
  let newJournal: () => JournalOf;
  let close: () => Promise<void>;

  beforeAll(async () => {
    const [{ CHECKERS, violations: all }, { WATCH }, { Journal }] = (await Promise.all(
      ['checkers/index.mjs', 'checkers/watch.mjs', 'journal.mjs'].map((file) => import(join(FAULTS, file))),
    )) as [{ CHECKERS: { invariant: string }[]; violations: typeof violations }, { WATCH: string[] }, { Journal: new () => JournalOf }];
    checkers = CHECKERS;
    violations = all;
    newJournal = () => new Journal();
    const place = await newDatabase(kind);
    const database = { url: place.url, poolSize: 1, poolOverflow: 0, migrate: 'auto' as const };
    const { source, embedded } = await openSource({ directory: place.directory, database });
    query = (text, values) => source.query(text, values);
    close = async () => {
      await source.destroy();
      await embedded?.close();
      await place.drop();
    };
    for (const statement of WATCH) await query(statement);
  });
  afterAll(() => close());

  // There is one connection: what a test does is taken back as one transaction.
  beforeEach(async () => {
    await query('BEGIN');
    scene = new Scene({
      query,
      journal: newJournal(),
      reads: new Map(),
      queues: [{ name: 'sutazai.jobs.x', messages: 0 }],
      generations: [],
    });
    await scene.build();
  });
  afterEach(() => query('ROLLBACK'));

  it('find nothing where everything is as it should be, and each has a plant', async () => {
    expect(await violations(scene.facts)).toEqual([]);
    expect(checkers.map(({ invariant }) => invariant).sort()).toEqual([...new Set(PLANTS.map(([invariant]) => invariant))].sort());
  });

  for (const [invariant, says, plant, also = []] of PLANTS)
    it(`invariant ${invariant.slice(1)} sees that ${says}`, async () => {
      await plant(scene);
      const found = new Set((await violations(scene.facts)).map((each) => each.invariant));
      expect([...found].sort()).toEqual([invariant, ...also].sort());
    });
});
