import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import { Collections, detectLanguage, type Collection, type NewPoint } from '@features/vectors';
import { Blobs } from '@kernel/blobs';
import type { ModelCard } from '@kernel/models';
import type { EmbeddingSpace } from '@kernel/vectors';
import { v5 } from 'uuid';
import { originalKey, textKey } from './blob-keys';
import type { StoredDocument } from './document';
import { Chunker, type Chunk, type TokenCount } from './text/chunker';
import { decode } from './text/decode';
import { outline } from './text/outline';
import { overview, type Overview } from './text/overview';

const CHUNK_TOKENS = 200;
const OVERLAP_TOKENS = 30;
/** Least room for headings beside a chunk's text. */
const HEADING_TOKENS = 16;

/** A point without its vector, and what the model reads for it. */
export interface PlannedPoint {
  point: Omit<NewPoint, 'vector'>;
  input: string;
}

/** All that an ingest will write: the same for the same document, whenever it is made. */
export interface IngestPlan {
  model: ModelCard;
  space: EmbeddingSpace;
  language: string | null;
  points: PlannedPoint[];
}

/** Reads a document's original: its text, kept as a blob, its chunks and its overview. */
@Injectable()
export class IngestPlanner {
  constructor(
    private readonly blobs: Blobs,
    private readonly models: Models,
    private readonly collections: Collections,
  ) {}

  async plan(document: StoredDocument, signal: AbortSignal): Promise<IngestPlan> {
    const collection = await this.collections.get(document.collectionId);
    const model = await this.models.resolve('embedding', collection.space?.model ?? undefined);
    const space = await this.collections.spaceFor(collection, model);
    const text = await decode(await this.blobs.get(originalKey(document.id, document.contentVersion)));
    await this.blobs.put(textKey(document.id, document.version), Buffer.from(text, 'utf8'));
    const language = languageOf(collection, text);
    const count: TokenCount = (texts) => this.models.countTokens(model.id, texts, signal);
    const [prefix = 0] = await count([model.embedding?.documentPrefix ?? '']);
    const most = (model.embedding?.maxInputTokens ?? CHUNK_TOKENS + HEADING_TOKENS) - prefix;
    return { model, space, language, points: await planned(document, text, language, most, count) };
  }
}

function languageOf(collection: Collection, text: string): string | null {
  return collection.language ?? detectLanguage(text);
}

async function planned(
  document: StoredDocument,
  text: string,
  language: string | null,
  most: number,
  count: TokenCount,
): Promise<PlannedPoint[]> {
  const read = await outline(text, document.mediaType === 'text/markdown');
  const limits = { size: Math.min(CHUNK_TOKENS, most - HEADING_TOKENS), overlap: OVERLAP_TOKENS, most };
  const chunks = await new Chunker(text, read, limits, count).chunks();
  const whole = await overview(text, { outline: read, chunks }, document.name, most, count);
  const id = (name: string): string => v5(`${document.version}/${name}`, document.id);
  return [
    { input: whole.input, point: { ...overviewPoint(text, whole), id: id('overview'), language } },
    ...chunks.map((chunk, ordinal) => ({
      input: chunk.input,
      point: { ...chunkPoint(chunk), id: id(String(ordinal)), ordinal, language },
    })),
  ];
}

type OwnPart = Omit<PlannedPoint['point'], 'id' | 'language'>;

function overviewPoint(text: string, { end, outline: heading, tokens }: Overview): OwnPart {
  return { kind: 'overview', ordinal: 0, page: null, start: 0, end, heading, text: text.slice(0, end), tokens };
}

function chunkPoint({ start, end, path, text, tokens }: Chunk): Omit<OwnPart, 'ordinal'> {
  return { kind: 'chunk', page: null, start, end, heading: path.length === 0 ? null : path.join(' › '), text, tokens };
}
