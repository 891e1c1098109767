import { Injectable } from '@nestjs/common';
import type { UsageAccount } from '@features/models';
import { Search, type Collection, type Passage } from '@features/vectors';
import type { ModelCard } from '@kernel/models';
import { EvidenceRanking } from './evidence.service';
import { evidenceUnits } from './evidence-units';
import { likeness, termSet } from './likeness';
import type { Question } from './question';
import { terms, type Term } from './terms';
import type { RankedUnit } from './unit-score';
import { readWholeQuestion } from './whole-document';

/** What an answer may rest on. */
export interface Grounds {
  /** Best first; empty: nothing was found. */
  passages: Passage[];
  /** The question is about documents as such; the passages are their overviews, or all of their text. */
  whole: boolean;
  /** Sentences of the passages, best first; `passage` is their index there. Ranked for starter models only. */
  units: RankedUnit[];
}

export interface RetrievalRequest {
  question: Question;
  collections: Collection[];
  /** Documents that the last answer cited: "summarise it" means these. */
  citedDocuments: string[];
  topK: number;
  card: ModelCard;
  signal: AbortSignal;
  account: UsageAccount;
}

const NOTHING: Grounds = { passages: [], whole: false, units: [] };
/** Passages among which the best sentences are looked for. */
const CANDIDATES = 8;
const MOST_OVERVIEWS = 50;
/** Documents told about when a question about the whole names none. */
const TOLD = 3;
const SUBJECT_NAMED = 0.6;

/** Finds the passages for a question: overviews for questions about a document, else hybrid search and, for starter models, the sentences that answer. */
@Injectable()
export class Retrieval {
  constructor(
    private readonly search: Search,
    private readonly evidence: EvidenceRanking,
  ) {}

  async find(request: RetrievalRequest): Promise<Grounds> {
    const overviews = await this.overviews(request);
    if (overviews.length > 0) return { passages: overviews, whole: true, units: [] };
    const { question, collections, topK, card, signal, account } = request;
    const limit = Math.max(topK, CANDIDATES);
    const hits = await this.search.search({ collections, query: question.query, limit, signal, account });
    // A stronger model reads what was found and says itself when that is no answer; a starter model needs the sentence that answers.
    if (card.grade !== 'starter') return { passages: hits.filter((passage) => passage.found).slice(0, topK), whole: false, units: [] };
    const { ranked, answers } = await this.evidence.rank(question, hits, signal, account);
    return answers ? byEvidence(hits, ranked, topK) : NOTHING;
  }

  private async overviews({ question, collections, citedDocuments }: RetrievalRequest): Promise<Passage[]> {
    const { whole, subject } = readWholeQuestion(question.text, question.language);
    if (!whole) return [];
    const all = await this.search.overviews(collections, MOST_OVERVIEWS);
    if (subject.length > 0) return bySubject(all, subject);
    const cited = all.filter((overview) => citedDocuments.includes(overview.documentId));
    return (cited.length > 0 ? cited : all).slice(0, TOLD);
  }
}

/** The overview that names the subject best; none when the subject is not a document of ours. */
function bySubject(overviews: Passage[], subject: Term[]): Passage[] {
  const rated = overviews.map((overview) => {
    const text = `${overview.document}\n${overview.heading ?? ''}\n${overview.text}`;
    const set = termSet(terms(text, overview.language), text);
    return { overview, share: subject.reduce((sum, term) => sum + likeness(term, set), 0) / subject.length };
  });
  const [best] = rated.sort((a, b) => b.share - a.share);
  return best !== undefined && best.share >= SUBJECT_NAMED ? [best.overview] : [];
}

/** Passages in the order of their best sentence. */
function byEvidence(found: Passage[], ranked: RankedUnit[], topK: number): Grounds {
  const order = [...new Set(ranked.map((unit) => unit.passage))].slice(0, topK);
  const passages = order.flatMap((index) => found[index] ?? []);
  const units = ranked.filter((unit) => order.includes(unit.passage)).map((unit) => ({ ...unit, passage: order.indexOf(unit.passage) }));
  return { passages, whole: false, units };
}

/** The sentences of overviews, for which no question has to be compared. */
export function unitsOf(grounds: Grounds): RankedUnit[] {
  if (grounds.units.length > 0) return grounds.units;
  return evidenceUnits(grounds.passages).map((unit) => ({ ...unit, score: 1, similarity: 1, coreSimilarity: 1, coverage: 1, related: 1 }));
}
