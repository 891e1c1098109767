export { Graph, type LineageAnswer, type LineageChunk, type LineagePage, type LineageQuery } from './graph';
export type {
  AnswerFact,
  ChunkFact,
  CitationFact,
  CollectionFact,
  DocumentFact,
  FeedIdentity,
  GraphChanges,
  GraphCopy,
  GraphKind,
  SessionFact,
} from './graph-copy';
