import { Injectable } from '@nestjs/common';
import { DocumentParser, type PageSpan, type ParsedDocument } from '@backing/parsers';
import { Models } from '@features/models';
import { Collections, detectLanguage, type Collection, type NewPoint } from '@features/vectors';
import { Blobs } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import type { ModelCard } from '@kernel/models';
import type { EmbeddingSpace } from '@kernel/vectors';
import { v5 } from 'uuid';
import { originalKey, textKey } from './blob-keys';
import type { StoredDocument } from './document';
import { Chunker, type Chunk, type TokenCount } from './text/chunker';
import { outline } from './text/outline';
import { overview, type Overview } from './text/overview';
import { paged } from './text/paged';

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
  /** Null where the kind of document has none. */
  pages: number | null;
  /** As the content names itself. */
  title: string | null;
  points: PlannedPoint[];
}

/** Reads a document's original: its text, kept as a blob, its chunks and its overview. */
@Injectable()
export class IngestPlanner {
  constructor(
    private readonly blobs: Blobs,
    private readonly models: Models,
    private readonly collections: Collections,
    private readonly parser: DocumentParser,
  ) {}

  async plan(document: StoredDocument, signal: AbortSignal): Promise<IngestPlan> {
    const collection = await this.collections.get(document.collectionId);
    const model = await this.models.resolve('embedding', collection.space?.model ?? undefined);
    const space = await this.collections.spaceFor(collection, model);
    const parsed = await this.parsed(document, signal);
    await this.blobs.put(textKey(document.id, document.version), Buffer.from(parsed.text, 'utf8'));
    const language = languageOf(collection, parsed.text);
    const count: TokenCount = (texts) => this.models.countTokens(model.id, texts, signal);
    const [prefix = 0] = await count([model.embedding?.documentPrefix ?? '']);
    const most = (model.embedding?.maxInputTokens ?? CHUNK_TOKENS + HEADING_TOKENS) - prefix;
    const points = await planned(document, parsed, language, most, count);
    return { model, space, language, pages: parsed.pages?.length ?? null, title: titleOf(parsed), points };
  }

  private async parsed(document: StoredDocument, signal: AbortSignal): Promise<ParsedDocument> {
    const bytes = await this.blobs.get(originalKey(document.id, document.contentVersion));
    const { mediaType, name, charset } = document;
    const parsed = await this.parser.parse({ bytes, mediaType, name, charset: charset ?? undefined }, signal);
    if (!/[^\s\p{Cf}\ufffd]/u.test(parsed.text)) throw new AppError('unprocessable', 'The document is empty: no text is in it.');
    return parsed;
  }
}

/** At most as long as a name. */
function titleOf({ title }: ParsedDocument): string | null {
  const text = title?.replaceAll(/\s+/gu, ' ').trim().slice(0, 255).toWellFormed() ?? '';
  return text === '' ? null : text;
}

function languageOf(collection: Collection, text: string): string | null {
  return collection.language ?? detectLanguage(text);
}

async function planned(
  document: StoredDocument,
  { text, title, pages, markdown, columns }: ParsedDocument,
  language: string | null,
  most: number,
  count: TokenCount,
): Promise<PlannedPoint[]> {
  const flat = await outline(text, markdown);
  const read = pages === null ? flat : paged(flat, pages);
  const [whole] = read.sections;
  // The header stands over every row, also over a part of one that had to be split.
  if (whole !== undefined && columns !== null) whole.path = [columns.join(' | ')];
  const limits = { size: Math.min(CHUNK_TOKENS, most - HEADING_TOKENS), overlap: OVERLAP_TOKENS, most };
  const chunks = await new Chunker(text, read, limits, count).chunks();
  const all = await overview(text, { outline: read, chunks }, title ?? document.name, most, count);
  const id = (name: string): string => v5(`${document.version}/${name}`, document.id);
  return [
    { input: all.input, point: { ...overviewPoint(text, all), id: id('overview'), language } },
    ...chunks.map((chunk, ordinal) => ({
      input: chunk.input,
      point: { ...chunkPoint(chunk, pages), id: id(String(ordinal)), ordinal, language },
    })),
  ];
}

type OwnPart = Omit<PlannedPoint['point'], 'id' | 'language'>;

function overviewPoint(text: string, { end, outline: heading, tokens }: Overview): OwnPart {
  return { kind: 'overview', ordinal: 0, page: null, start: 0, end, heading, text: text.slice(0, end), tokens };
}

function chunkPoint({ start, end, path, text, tokens }: Chunk, pages: PageSpan[] | null): Omit<OwnPart, 'ordinal'> {
  const heading = path.length === 0 ? null : path.join(' › ');
  return { kind: 'chunk', page: pageAt(pages, start), start, end, heading, text, tokens };
}

/** The page on which this offset lies. */
function pageAt(pages: PageSpan[] | null, offset: number): number | null {
  return pages?.findLast((page) => page.start <= offset && page.end > page.start)?.number ?? null;
}
