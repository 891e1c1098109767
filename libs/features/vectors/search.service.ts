import { Injectable } from '@nestjs/common';
import { Models, type UsageAccount } from '@features/models';
import { VectorStores, type EmbeddingSpace } from '@kernel/vectors';
import type { Collection } from './collection';
import { byScore, fuse } from './fusion';
import type { Passage } from './passage';
import { SearchRepository, type StoredPassage } from './search.repository';
import { similarity } from './similarity';
import { questionTerms } from './text/question';
import type { TextHit } from './text/rank';

/** Share of the question's idf weight from which a passage counts as found by its words alone. */
export const COVERAGE_FOUND = 0.4;
/** Candidates of each search for one passage of the answer, and at least this many. */
const CANDIDATES_PER_PASSAGE = 4;
const FEWEST_CANDIDATES = 40;
/** A store may answer points that the ledger does not show; beyond this many the search goes without the rest. */
const MOST_CANDIDATES = 4_000;

export interface SearchRequest {
  collections: Collection[];
  query: string;
  /** 1..200 */
  limit: number;
  signal: AbortSignal;
  account: UsageAccount;
}

/** The question as one embedding space sees it, and the chunks nearest to it there, best first. */
interface Neighbourhood {
  space: EmbeddingSpace;
  question: Float32Array;
  threshold: number;
  passages: StoredPassage[];
}

/**
 * Hybrid search over collections: vector candidates rescored in float64 from the ledger, and BM25, added by reciprocal rank fusion.
 * Errors: `unavailable` (embedding model or store), `context_length_exceeded` (question longer than the model reads), `cancelled`.
 */
@Injectable()
export class Search {
  constructor(
    private readonly repository: SearchRepository,
    private readonly stores: VectorStores,
    private readonly models: Models,
  ) {}

  /** Chunks, best first; neighbours of a chunk are not joined to it. */
  async search(request: SearchRequest): Promise<Passage[]> {
    const filled = request.collections.filter((collection) => collection.space !== null);
    if (filled.length === 0 || request.query.trim() === '') return [];
    const collectionIds = filled.map((collection) => collection.id);
    const depth = Math.max(FEWEST_CANDIDATES, request.limit * CANDIDATES_PER_PASSAGE);
    const areas = await Promise.all([...bySpace(filled)].map(([space, ids]) => this.nearest(space, ids, request, depth)));
    const near = new Map(areas.flatMap((area) => area.passages.map((passage) => [passage.id, passage] as const)));
    const terms = questionTerms(request.query, await this.repository.languages(collectionIds));
    const hits = await this.repository.byText(collectionIds, terms, depth, [...near.keys()]);
    const missing = hits.filter((hit) => !near.has(hit.id)).map((hit) => hit.id);
    const passages = [...near.values(), ...(await this.repository.byIds(collectionIds, missing))];
    const byWords = hits.filter((hit) => hit.rank <= depth).map((hit) => hit.id);
    const fused = fuse([...areas.map((area) => area.passages.map((passage) => passage.id)), byWords]);
    const scored = passages.map((passage) => rated(passage, areas, hits, fused));
    return byScore(
      scored,
      (passage) => passage.score,
      (passage) => passage.id,
    ).slice(0, request.limit);
  }

  /** What each document as a whole is about: its title, headings and opening. */
  async overviews(collections: Collection[], limit: number): Promise<Passage[]> {
    const stored = await this.repository.overviews(
      collections.map((collection) => collection.id),
      limit,
    );
    return stored.map(unrated);
  }

  /** All chunks of these documents, one document after the other, each in its order; none when they are more than `most`. */
  async documents(documentIds: string[], most: number): Promise<Passage[]> {
    const stored = await this.repository.documents(documentIds, most + 1);
    if (stored.length > most) return [];
    return documentIds.flatMap((id) => stored.filter(({ documentId }) => documentId === id)).map(unrated);
  }

  private async nearest(space: EmbeddingSpace, collectionIds: string[], request: SearchRequest, depth: number): Promise<Neighbourhood> {
    if (space.model === null) return { space, question: new Float32Array(), threshold: Number.POSITIVE_INFINITY, passages: [] };
    const card = await this.models.resolve('embedding', space.model);
    const { vectors } = await this.models.embed(
      { model: card.id, texts: [request.query], input: 'query', signal: request.signal },
      request.account,
    );
    const question = vectors[0];
    if (question === undefined || card.embedding === undefined) throw new Error(`${card.id} answered no vector.`);
    const found = await this.visible(space, collectionIds, question, depth);
    const passages = byScore(
      found,
      (passage) => similarity(space.metric, question, passage.vector),
      (passage) => passage.id,
    ).slice(0, depth);
    return { space, question, threshold: card.embedding.threshold, passages };
  }

  /** Asks the store for more while points that nobody may see crowd out others. */
  private async visible(space: EmbeddingSpace, collectionIds: string[], question: Float32Array, depth: number): Promise<StoredPassage[]> {
    for (let limit = depth * 2; ; limit *= 4) {
      const hits = await this.stores.of(space).search(space, collectionIds, question, limit);
      const passages = await this.repository.visible(hits.map((hit) => hit.physicalId));
      if (passages.length >= depth || hits.length < limit || limit >= MOST_CANDIDATES) return passages;
    }
  }
}

function bySpace(collections: Collection[]): Map<EmbeddingSpace, string[]> {
  const spaces = new Map<string, EmbeddingSpace>();
  const ids = new Map<EmbeddingSpace, string[]>();
  for (const { id, space } of collections) {
    if (space === null) continue;
    const known = spaces.get(space.id) ?? space;
    spaces.set(space.id, known);
    ids.set(known, [...(ids.get(known) ?? []), id]);
  }
  return ids;
}

function rated(passage: StoredPassage, areas: Neighbourhood[], hits: TextHit[], fused: Map<string, number>): Passage {
  const area = areas.find(({ space }) => space.id === passage.spaceId);
  const vector = area === undefined || area.space.model === null ? null : similarity(area.space.metric, area.question, passage.vector);
  const hit = hits.find(({ id }) => id === passage.id);
  const coverage = rounded(hit?.coverage ?? 0);
  const near = area !== undefined && vector !== null && vector >= area.threshold;
  return {
    ...plain(passage),
    score: rounded(fused.get(passage.id) ?? 0),
    scores: { vector, text: hit === undefined ? null : rounded(hit.score) },
    coverage,
    found: near || coverage >= COVERAGE_FOUND,
  };
}

/** What no question was compared with. */
function unrated(passage: StoredPassage): Passage {
  return { ...plain(passage), score: 0, scores: { vector: null, text: null }, coverage: 0, found: false };
}

function plain({ physicalId: _physicalId, spaceId: _spaceId, vector: _vector, ...passage }: StoredPassage) {
  return passage;
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
