import { Injectable, Logger } from '@nestjs/common';
import { JointWork, Until } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import type { ModelCard, ModelRuntime } from '@kernel/models';
import { FingerprintsRepository, type StoredFingerprint } from './fingerprints.repository';

/** Read as questions and as passages, in several scripts, with accents, capitals, numbers and code: what implementations do differently. */
const TEXTS = [
  'How many days of annual leave do I have?',
  'Welche Sicherheitsprüfung ist für die Übergabe nötig?',
  'ÉLÈVES À MÜNCHEN, ÇA VA?',
  'рукопись о садах и пчёлах',
  'The crane in the harbour lifts nine tonnes; two people carry the pump (no. 4711) of 40.5 kg.',
  'function sum(a, b) { return a + b; } // adds two numbers',
  '日本語の文章です。漢字とひらがな。',
  'Invoices are due within thirty days of receipt. Interest of 5 % a year is charged after that, and a reminder costs 10 euros. Please quote the number.',
];
const QUESTIONS = 4;
/** Cosine similarity from which two vectors count as the same. */
const SAME = 0.999;
const BUILT_IN = 'llama.cpp';
/** The runtime has deadlines of its own, for loading the model too. */
const SECONDS = 600;

/**
 * Keeps vectors of different makers apart: what a model makes of eight fixed texts is stored at its first use, and before another runtime or other
 * weights work under that model's name, theirs is compared. Errors: `conflict` when they differ, so that nothing is written or searched with them.
 */
@Injectable()
export class SpaceFingerprints {
  private readonly logger = new Logger(SpaceFingerprints.name);
  private readonly checks = new Map<string, JointWork<void>>();
  private readonly agreed = new Set<string>();

  constructor(private readonly repository: FingerprintsRepository) {}

  /** Resolves when this runtime's vectors belong into the model's space; asked once for each runtime and weights, for all who wait. Also `cancelled`. */
  async check(card: ModelCard, runtime: ModelRuntime, signal: AbortSignal): Promise<void> {
    const key = keyOf(card, runtime);
    if (this.agreed.has(key)) return;
    const deadline = (): Until => new Until(SECONDS, `Comparing the vectors of ${card.id}`);
    const check = this.checks.get(key) ?? new JointWork((ended) => this.compare(card, runtime, ended), deadline);
    this.checks.set(key, check);
    await check.join(signal);
    // Unless it was forgotten meanwhile.
    if (this.checks.get(key) === check) this.agreed.add(key);
  }

  /** Whether a check has found so already. */
  agrees(card: ModelCard, runtime: ModelRuntime): boolean {
    return this.agreed.has(keyOf(card, runtime));
  }

  /** The model is gone: what comes under its name next begins anew. */
  async forget(model: string): Promise<void> {
    await this.repository.remove(model);
    for (const key of this.checks.keys()) {
      if (key.split(' ')[1] !== model) continue;
      this.checks.delete(key);
      this.agreed.delete(key);
    }
  }

  private async compare(card: ModelCard, runtime: ModelRuntime, signal: AbortSignal): Promise<void> {
    const stored = await this.repository.find(card.id);
    if (stored !== undefined && card.digest !== null && stored.runtime === runtime.name && stored.digest === card.digest) return;
    if (stored === undefined && runtime.name !== BUILT_IN && (await this.repository.isUsed(card.id))) throw neverCompared(card, runtime);
    const vectors = await made(card, runtime, signal);
    if (stored === undefined)
      await this.repository.insert(card.id, { runtime: runtime.name, digest: card.digest, vectors: bytesOf(vectors) });
    const first = stored ?? (await this.repository.find(card.id));
    if (first === undefined) throw new AppError('unavailable', `The fingerprint of ${card.id} was removed meanwhile: try again.`);
    const alike = leastAlike(first, vectors);
    if (alike >= SAME) return;
    this.logger.error(`${card.id} on ${runtime.name} is no more like ${first.runtime} than ${alike.toFixed(4)}.`);
    throw different(card, runtime, first, alike);
  }
}

function keyOf({ id, digest, weights }: ModelCard, { name }: ModelRuntime): string {
  return `${name} ${id} ${weights ?? digest}`;
}

async function made(card: ModelCard, runtime: ModelRuntime, signal: AbortSignal): Promise<Float32Array[]> {
  const embed = async (input: 'query' | 'document', texts: string[]): Promise<Float32Array[]> =>
    (await runtime.embed({ model: card.id, texts, input, weights: card.weights, signal })).vectors;
  return [...(await embed('query', TEXTS.slice(0, QUESTIONS))), ...(await embed('document', TEXTS.slice(QUESTIONS)))];
}

/** The smallest cosine similarity of a stored vector and its counterpart; 0 when their lengths differ. */
function leastAlike({ vectors: bytes }: StoredFingerprint, vectors: Float32Array[]): number {
  const numbers = vectors.reduce((sum, { length }) => sum + length, 0);
  if (bytes.length !== numbers * 4) return 0;
  let at = 0;
  let least = 1;
  for (const vector of vectors) {
    let dot = 0;
    for (const value of vector) {
      dot += value * bytes.readFloatLE(at);
      at += 4;
    }
    least = Math.min(least, dot);
  }
  return least;
}

function bytesOf(vectors: Float32Array[]): Buffer {
  const bytes = Buffer.alloc(vectors.reduce((sum, { length }) => sum + length * 4, 0));
  let at = 0;
  for (const vector of vectors) for (const value of vector) at = bytes.writeFloatLE(value, at);
  return bytes;
}

function different(card: ModelCard, runtime: ModelRuntime, first: StoredFingerprint, alike: number): AppError {
  const message =
    `The model ${card.id} on ${runtime.name} gives other vectors than those its collections were made with on ${first.runtime} ` +
    `(likeness ${alike.toFixed(4)}, needed ${SAME}): nothing was written or searched. Bring the first one back, or move the collections to another model.`;
  return new AppError('conflict', message, { retryable: false });
}

function neverCompared(card: ModelCard, runtime: ModelRuntime): AppError {
  const message =
    `Collections were made with ${card.id} before its vectors were recorded, so those of ${runtime.name} cannot be compared with them: ` +
    'run `npm run models -- fetch` and ask once with the built-in model.';
  return new AppError('conflict', message, { retryable: false });
}
