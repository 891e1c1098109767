import { Injectable } from '@nestjs/common';
import { Models, type UsageAccount } from '@features/models';
import { AppError } from '@kernel/errors';
import { VectorStore, type EmbeddingSpace, type VectorFilter } from '@kernel/vectors';
import type { Collection } from '../collection';
import { byScore, fuse } from '../fusion';
import { checkedVector } from '../points/checked-vector';
import { PointLedger } from '../points/point-ledger.repository';
import type { Point } from '../points/point';
import { similarity } from '../similarity';
import { questionTerms } from '../text/question';
import type { TextHit } from '../text/rank';
import { PointTexts } from './point-texts.repository';

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
/** Relative error of a store's float32 arithmetic, generously. */
const STORE_ERROR = 1e-4;
/** Searches by words that are done again when what they found was replaced before it could be read. */
const REPEATS = 3;

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
 * fused by reciprocal rank. Errors: `invalid` (what the mode needs is not there), `unprocessable` (a bad vector), `unavailable` (model).
 */
@Injectable()
export class PointSearch {
  constructor(
    private readonly ledger: PointLedger,
    private readonly texts: PointTexts,
    private readonly store: VectorStore,
    private readonly models: Models,
  ) {}

  async search(collection: Collection, question: PointQuestion, account: UsageAccount, signal: AbortSignal): Promise<PointAnswer> {
    const { space } = collection;
    const mode = modeOf(question, space);
    if (mode === 'text') return { mode, found: await this.byText(collection, question) };
    if (space === null) return { mode, found: [] };
    const vector = await this.vectorOf(space, question, account, signal);
    const depth = mode === 'vector' ? question.limit : Math.max(FEWEST_FUSED, question.limit * FUSED_PER_RESULT);
    const area = { collection, space, vector, question, depth };
    const near = await this.nearest(area);
    return { mode, found: mode === 'vector' ? near : await this.fused(area, near) };
  }

  private async vectorOf(space: EmbeddingSpace, { vector, text }: PointQuestion, account: UsageAccount, signal: AbortSignal) {
    if (vector !== undefined) return checkedVector(vector, space, 'vector');
    const model = await this.models.resolve('embedding', space.model ?? undefined);
    const { vectors } = await this.models.embed({ model: model.id, texts: [text ?? ''], input: 'query', signal }, account);
    if (vectors[0] === undefined) throw new AppError('internal', `${model.id} answered no vector.`);
    return vectors[0];
  }

  /** The `depth` best by vector score; more candidates are asked for while the last of them may still tie with the last result. */
  private async nearest(area: SearchArea): Promise<FoundPoint[]> {
    const { collection, space, vector, question, depth } = area;
    const scope = { filter: question.filter, exact: question.exact };
    for (let limit = depth + OVER_FETCH; ; limit *= 4) {
      const hits = await this.store.search(space, [collection.id], vector, limit, scope);
      const last = hits.at(-1)?.score ?? 0;
      const edge = hits[depth - 1]?.score ?? 0;
      const settled = hits.length < limit || edge - last > STORE_ERROR * Math.max(1, Math.abs(edge)) || limit >= MOST_CANDIDATES;
      if (settled)
        return this.rescored(
          area,
          hits.map((hit) => hit.physicalId),
        );
    }
  }

  private async rescored({ collection, space, vector, question, depth }: SearchArea, physicalIds: string[]): Promise<FoundPoint[]> {
    const { filter, minScore } = question;
    const points = await this.ledger.select([collection.id], { physicalIds, filter });
    const scored = points.map((point) => {
      const score = similarity(space.metric, vector, point.vector);
      return { point, score, scores: { vector: score, text: null } };
    });
    return best(scored)
      .slice(0, depth)
      .filter(({ score }) => minScore === undefined || score >= minScore);
  }

  private async byText(collection: Collection, question: PointQuestion, repeats = REPEATS): Promise<FoundPoint[]> {
    const hits = await this.hits(collection, question, question.limit, []);
    const found = await this.ledger.select([collection.id], { ids: hits.map((hit) => hit.id) });
    // A document whose new content became visible between the two statements would seem to have none.
    if (found.length < hits.length && repeats > 0) return this.byText(collection, question, repeats - 1);
    return best(
      found.map((point) => {
        const score = rounded(scoreOf(hits, point) ?? 0);
        return { point, score, scores: { vector: null, text: score } };
      }),
    );
  }

  private async fused({ collection, space, vector, question, depth }: SearchArea, near: FoundPoint[]): Promise<FoundPoint[]> {
    const nearIds = near.map(({ point }) => point.id);
    const hits = await this.hits(collection, question, depth, nearIds);
    const missing = hits.filter((hit) => !nearIds.includes(hit.id)).map((hit) => hit.id);
    const points = [...near.map(({ point }) => point), ...(await this.ledger.select([collection.id], { ids: missing }))];
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
    return best(scored.filter(({ scores }) => minScore === undefined || scores.vector >= minScore)).slice(0, question.limit);
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
