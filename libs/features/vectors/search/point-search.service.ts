import { Injectable } from '@nestjs/common';
import { Models, type UsageAccount } from '@features/models';
import { AppError } from '@kernel/errors';
import { VectorStores, type EmbeddingSpace, type VectorFilter } from '@kernel/vectors';
import type { Collection } from '../collection';
import { byScore, fuse } from '../fusion';
import { checkedVector } from '../points/checked-vector';
import { PointLedger } from '../points/point-ledger.repository';
import type { Point } from '../points/point';
import { similarity } from '../similarity';
import { questionTerms } from '../text/question';
import type { TextHit } from '../text/rank';
import { PointTexts } from './point-texts.repository';
import { PointVectors } from './point-vectors.repository';

export type SearchMode = 'vector' | 'text' | 'hybrid';

export interface PointQuestion {
  /** Numbers, or base64 of little-endian float32. */
  vector?: number[] | string;
  text?: string;
  mode?: SearchMode;
  exact?: boolean;
  /** 1..200 */
  limit: number;
  filter: VectorFilter;
  /** Least vector score. */
  minScore?: number;
}

export interface FoundPoint {
  point: Point;
  score: number;
  scores: { vector: number | null; text: number | null };
}

export interface PointAnswer {
  mode: SearchMode;
  found: FoundPoint[];
}

/** Candidates beyond the limit: a store's arithmetic may order near ties otherwise than float64 does. */
const OVER_FETCH = 32;
/** Depth of each list that is fused. */
const FUSED_PER_RESULT = 4;
const FEWEST_FUSED = 40;
/** Among more near ties than these the ledger is not asked any more. */
const MOST_CANDIDATES = 5_000;
/** So many points that fit a filter are compared one by one, rather than asking a store that does not know the filter. */
const MOST_SCANNED = 2_000;
/** Relative error of a store's float32 arithmetic, generously. */
const STORE_ERROR = 1e-4;
/** How often a search by words is done when what it found was replaced before it could be read. */
const MOST_READINGS = 4;

/** What a search by words found; not whole when a document's new content became visible between its statements and took hits away. */
interface Reading {
  found: FoundPoint[];
  whole: boolean;
}

/** Where and how deep the nearest points are looked for. */
interface SearchArea {
  collection: Collection;
  space: EmbeddingSpace;
  vector: Float32Array;
  question: PointQuestion;
  depth: number;
}

/**
 * Search over the points of one collection: by vector (candidates of the store, rescored in float64 from the ledger), by words (BM25), or both
 * fused by reciprocal rank. Errors: `invalid` (what the mode needs is not there), `unprocessable` (a bad vector), `unavailable` (model, store).
 */
@Injectable()
export class PointSearch {
  constructor(
    private readonly ledger: PointLedger,
    private readonly texts: PointTexts,
    private readonly vectors: PointVectors,
    private readonly stores: VectorStores,
    private readonly models: Models,
  ) {}

  async search(collection: Collection, question: PointQuestion, account: UsageAccount, signal: AbortSignal): Promise<PointAnswer> {
    const { space } = collection;
    const mode = modeOf(question, space);
    if (mode === 'text') return { mode, found: await steady(() => this.byText(collection, question)) };
    if (space === null) return { mode, found: [] };
    const vector = await this.vectorOf(space, question, account, signal);
    const depth = mode === 'vector' ? question.limit : Math.max(FEWEST_FUSED, question.limit * FUSED_PER_RESULT);
    const area = { collection, space, vector, question, depth };
    return { mode, found: mode === 'vector' ? await this.nearest(area) : await steady(() => this.hybrid(area)) };
  }

  private async vectorOf(space: EmbeddingSpace, { vector, text }: PointQuestion, account: UsageAccount, signal: AbortSignal) {
    if (vector !== undefined) return checkedVector(vector, space, 'vector');
    const model = await this.models.resolve('embedding', space.model ?? undefined);
    const { vectors } = await this.models.embed({ model: model.id, texts: [text ?? ''], input: 'query', signal }, account);
    if (vectors[0] === undefined) throw new AppError('internal', `${model.id} answered no vector.`);
    return vectors[0];
  }

  /** The `depth` best by vector score. A store that cannot look at filters, or not exactly, is spared where the ledger can look at all points that fit. */
  private async nearest(area: SearchArea): Promise<FoundPoint[]> {
    const { filter, exact, minScore } = area.question;
    const store = this.stores.of(area.space);
    store.assertReachable();
    const { filters, exact: exactly } = store.capabilities;
    const blind = !filters && !isEverything(filter);
    const scanned = (exact === true && !exactly) || (blind && (await this.isScannable(area)));
    const found = (scanned ? undefined : await this.approached(area, blind)) ?? (await this.scanned(area));
    return found.filter(({ score }) => minScore === undefined || score >= minScore);
  }

  private async isScannable({ collection, question }: SearchArea): Promise<boolean> {
    return (await this.ledger.countUpTo(collection.id, { filter: question.filter }, MOST_SCANNED + 1)) <= MOST_SCANNED;
  }

  /** Every point that fits, by its vector in the ledger: no store is asked. */
  private async scanned({ collection, space, vector, question, depth }: SearchArea): Promise<FoundPoint[]> {
    const physicalIds = await this.vectors.nearest(collection.id, question.filter, { space, vector, depth });
    const points = await this.ledger.select([collection.id], { physicalIds, filter: question.filter });
    return best(points.map((point) => rescored({ space, vector }, point)));
  }

  /**
   * The best of a store's candidates; undefined when a filter leaves too few of as many as a store is asked for. More candidates are asked for while points that nobody may see (overviews, other versions of documents) crowd
   * out others, and while the last candidate may still tie with the last result.
   */
  private async approached(area: SearchArea, blind: boolean): Promise<FoundPoint[] | undefined> {
    const { collection, space, vector, question, depth } = area;
    const { filter, exact } = question;
    for (let limit = depth + OVER_FETCH; ; limit *= 4) {
      const hits = await this.stores.of(space).search(space, [collection.id], vector, limit, { filter, exact });
      const physicalIds = hits.map((hit) => hit.physicalId);
      const points = await this.ledger.select([collection.id], { physicalIds, filter });
      const found = best(points.map((point) => rescored(area, point)));
      const edge = found[depth - 1]?.score;
      const last = hits.at(-1)?.score ?? 0;
      const settled = edge !== undefined && edge - last > STORE_ERROR * Math.max(1, Math.abs(edge));
      if (settled || hits.length < limit) return found.slice(0, depth);
      if (limit >= MOST_CANDIDATES) return blind && found.length < depth ? undefined : found.slice(0, depth);
    }
  }

  private async byText(collection: Collection, question: PointQuestion): Promise<Reading> {
    const hits = await this.hits(collection, question, question.limit, []);
    const points = await this.ledger.select([collection.id], { ids: hits.map((hit) => hit.id) });
    const found = points.map((point) => {
      const score = rounded(scoreOf(hits, point) ?? 0);
      return { point, score, scores: { vector: null, text: score } };
    });
    return { found: best(found), whole: points.length === hits.length };
  }

  private async hybrid(area: SearchArea): Promise<Reading> {
    const { collection, space, vector, question, depth } = area;
    const near = await this.nearest(area);
    const nearIds = near.map(({ point }) => point.id);
    const hits = await this.hits(collection, question, depth, nearIds);
    const missing = hits.filter((hit) => !nearIds.includes(hit.id)).map((hit) => hit.id);
    const others = await this.ledger.select([collection.id], { ids: missing });
    const points = [...near.map(({ point }) => point), ...others];
    const ranks = fuse([nearIds, hits.filter((hit) => hit.rank <= depth).map((hit) => hit.id)]);
    const { minScore } = question;
    const scored = points.map((point) => {
      const byVector = similarity(space.metric, vector, point.vector);
      const byWords = scoreOf(hits, point);
      return {
        point,
        score: rounded(ranks.get(point.id) ?? 0),
        scores: { vector: byVector, text: byWords === null ? null : rounded(byWords) },
      };
    });
    const found = best(scored.filter(({ scores }) => minScore === undefined || scores.vector >= minScore)).slice(0, question.limit);
    return { found, whole: others.length === missing.length };
  }

  private async hits({ id }: Collection, { text, filter }: PointQuestion, limit: number, also: string[]): Promise<TextHit[]> {
    return this.texts.ranked(id, questionTerms(text ?? '', await this.texts.languages(id)), filter, limit, also);
  }
}

/** By vector when only a vector came, by words where there is no model to make one of the text, else by both. */
function modeOf({ mode, vector, text, minScore }: PointQuestion, space: EmbeddingSpace | null): SearchMode {
  if (vector === undefined && text === undefined) throw fault('vector', 'a vector or a text is needed.');
  const canEmbed = vector !== undefined || space === null || space.model !== null;
  const chosen = mode ?? (text === undefined ? 'vector' : canEmbed ? 'hybrid' : 'text');
  if (chosen !== 'vector' && text === undefined) throw fault('text', `is needed in mode ${chosen}.`);
  if (chosen !== 'text' && !canEmbed)
    throw fault('vector', `is needed in mode ${chosen}: the collection has no model that could make one of the text.`);
  if (chosen === 'text' && minScore !== undefined) throw fault('min_score', 'is the least vector score; mode text has none.');
  return chosen;
}

/** The first whole reading, or the last of all. */
async function steady(read: () => Promise<Reading>): Promise<FoundPoint[]> {
  let reading = await read();
  for (let readings = 1; !reading.whole && readings < MOST_READINGS; readings += 1) reading = await read();
  return reading.found;
}

/** By its vector as the ledger has it. */
function rescored({ space, vector }: Pick<SearchArea, 'space' | 'vector'>, point: Point): FoundPoint {
  const score = similarity(space.metric, vector, point.vector);
  return { point, score, scores: { vector: score, text: null } };
}

function isEverything(filter: VectorFilter): boolean {
  return filter.op === 'and' && filter.operands.length === 0;
}

function best(found: FoundPoint[]): FoundPoint[] {
  return byScore(
    found,
    ({ score }) => score,
    ({ point }) => point.id,
  );
}

function scoreOf(hits: TextHit[], point: Point): number | null {
  return hits.find((hit) => hit.id === point.id)?.score ?? null;
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function fault(path: string, message: string): AppError {
  return AppError.field('invalid', path, message);
}
