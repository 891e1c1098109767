import { GuardedRuntime, FingerprintsRepository, SpaceFingerprints } from '@features/models';
import { ModelRuntime, type EmbedAnswer, type EmbedRequest, type ModelCard } from '@kernel/models';
import { sql } from '@backing/postgres';
import { describeDatabases, openDatabase, type TestDatabase } from '../support/databases';
import { gate, untilAborted } from '../support/jobs';

const never = new AbortController().signal;
const CARD: ModelCard = {
  id: 'words',
  kind: 'embedding',
  runtime: 'any',
  state: 'ready',
  loaded: true,
  sizeBytes: 1,
  digest: 'sha256:1',
  license: 'none',
  languages: [],
  contextLength: 512,
  capabilities: ['embedding'],
  embedding: { dimensions: 8, maxInputTokens: 100, pooling: 'mean', queryPrefix: '', documentPrefix: '', threshold: 0.3 },
};

const unasked = (): never => {
  throw new Error('Nobody asks for this.');
};

/** Counts letters into a few buckets and turns the vector by an angle, which stands for another implementation. */
class LetterRuntime extends ModelRuntime {
  calls = 0;
  constructor(
    readonly name: string,
    private readonly angle: number,
    private readonly card: ModelCard = CARD,
  ) {
    super();
  }

  async models(): Promise<ModelCard[]> {
    return [this.card];
  }

  async embed({ texts }: EmbedRequest): Promise<EmbedAnswer> {
    this.calls += 1;
    return { vectors: texts.map((text) => this.vector(text)), inputTokens: 1, seconds: 0 };
  }

  parallel(): number {
    return 1;
  }

  private vector(text: string): Float32Array {
    const counts = new Float64Array(this.card.embedding?.dimensions ?? 0);
    for (const letter of text) counts[(letter.codePointAt(0) ?? 0) % counts.length]! += 1;
    const [first = 0, second = 0] = counts;
    counts[0] = first * Math.cos(this.angle) - second * Math.sin(this.angle);
    counts[1] = first * Math.sin(this.angle) + second * Math.cos(this.angle);
    const norm = Math.hypot(...counts);
    return Float32Array.from(counts, (count) => count / norm);
  }

  activity = unasked;
  load = unasked;
  chat = unasked;
  complete = unasked;
  countTokens = unasked;
  countPromptTokens = unasked;
}

describeDatabases('fingerprints of embedding models', (kind) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase(kind);
  });
  afterAll(() => database.close());
  beforeEach(() => database.client.query(sql`DELETE FROM space_fingerprints`));

  /** As a process that starts now. */
  const guarded = (runtime: ModelRuntime): GuardedRuntime =>
    new GuardedRuntime(runtime, new SpaceFingerprints(new FingerprintsRepository(database.client)), { now: async () => new Set() });
  const embed = (runtime: GuardedRuntime): Promise<EmbedAnswer> =>
    runtime.embed({ model: CARD.id, texts: ['hello'], input: 'query', signal: never });

  it('the first maker leaves one, and is not asked again', async () => {
    const runtime = new LetterRuntime('llama.cpp', 0);
    const first = guarded(runtime);
    await embed(first);
    await embed(first);
    expect(runtime.calls).toBe(4);
    await embed(guarded(runtime));
    expect(runtime.calls).toBe(5);
  });

  it('is made for all who wait: whom somebody calls away does not, and the others get their vectors', async () => {
    const runtime = new LetterRuntime('first', 0);
    const made = runtime.embed.bind(runtime);
    const go = gate();
    const asked = gate();
    jest.spyOn(runtime, 'embed').mockImplementation(async (request) => {
      asked.open();
      await go.opened;
      return made(request);
    });
    const process = guarded(runtime);
    const away = new AbortController();
    const first = process.embed({ model: 'words', texts: ['a'], input: 'query', signal: away.signal });
    const other = embed(process);
    await asked.opened;
    away.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    go.open();
    expect((await other).vectors).toHaveLength(1);
    // Two of the comparison, one of the other.
    expect(runtime.calls).toBe(3);
  });

  it('is broken off when nobody waits for it any more, and made anew for the next', async () => {
    const runtime = new LetterRuntime('first', 0);
    const asked = gate<AbortSignal>();
    const hanging = jest.spyOn(runtime, 'embed').mockImplementation(({ signal }) => (asked.open(signal), untilAborted(signal)));
    const process = guarded(runtime);
    const away = new AbortController();
    const only = process.embed({ model: 'words', texts: ['a'], input: 'query', signal: away.signal });
    const signal = await asked.opened;
    away.abort();
    await expect(only).rejects.toMatchObject({ code: 'cancelled' });
    await expect(untilAborted(signal)).rejects.toBeDefined();
    hanging.mockRestore();
    expect((await embed(process)).vectors).toHaveLength(1);
  });

  it('another maker of the same vectors may go on', async () => {
    await embed(guarded(new LetterRuntime('llama.cpp', 0)));
    await expect(embed(guarded(new LetterRuntime('ollama', 0.001)))).resolves.toMatchObject({ vectors: [expect.any(Float32Array)] });
  });

  it('a maker of other vectors gets none out, nor when it asks again', async () => {
    await embed(guarded(new LetterRuntime('llama.cpp', 0)));
    const other = guarded(new LetterRuntime('ollama', 0.5));
    for (const _ of [1, 2]) {
      await expect(embed(other)).rejects.toMatchObject({
        code: 'conflict',
        retryable: false,
        message: expect.stringContaining('nothing was written'),
      });
    }
  });

  it('so does the same runtime with other weights', async () => {
    await embed(guarded(new LetterRuntime('ollama', 0)));
    await expect(embed(guarded(new LetterRuntime('ollama', 0.5, { ...CARD, digest: 'sha256:2' })))).rejects.toMatchObject({
      code: 'conflict',
    });
    const shorter = { ...CARD, digest: 'sha256:3', embedding: { ...CARD.embedding!, dimensions: 4 } };
    await expect(embed(guarded(new LetterRuntime('ollama', 0, shorter)))).rejects.toMatchObject({ code: 'conflict' });
  });

  it('vectors of an earlier release, which left none, belong to the built-in runtime', async () => {
    await database.client.query(sql`INSERT INTO spaces (id, store, model, dimensions, metric, version, physical_name)
      VALUES ('01900000-0000-7000-8000-000000000001', 'pgvector', 'words', 8, 'cosine', 1, 'space_words')`);
    await expect(embed(guarded(new LetterRuntime('ollama', 0)))).resolves.toBeDefined();
    await database.client.query(sql`DELETE FROM space_fingerprints`);
    await insertPoint(database);
    await expect(embed(guarded(new LetterRuntime('ollama', 0)))).rejects.toMatchObject({ code: 'conflict' });
    await embed(guarded(new LetterRuntime('llama.cpp', 0)));
    await expect(embed(guarded(new LetterRuntime('ollama', 0)))).resolves.toBeDefined();
  });
});

async function insertPoint({ client }: TestDatabase): Promise<void> {
  const id = '01900000-0000-7000-8000-000000000001';
  await client.query(sql`INSERT INTO users (id, email, password_hash) VALUES (${id}, 'a@example.org', 'x')`);
  await client.query(sql`INSERT INTO workspaces (id, name, owner_id) VALUES (${id}, 'w', ${id})`);
  await client.query(sql`INSERT INTO collections (id, workspace_id, owner_id, name, space_id) VALUES (${id}, ${id}, ${id}, 'c', ${id})`);
  await client.query(sql`INSERT INTO points (collection_id, id, physical_id, space_id, workspace_id, owner_id, vector, vector_sha256)
    VALUES (${id}, 'p', ${id}, ${id}, ${id}, ${id}, ${Buffer.alloc(32)}, ${Buffer.alloc(32)})`);
}
