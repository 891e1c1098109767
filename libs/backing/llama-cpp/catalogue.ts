import type { EmbeddingTraits } from '@kernel/models';
import entries from './catalogue.json';

/** A model that the built-in runtime can run when its file lies in MODELS_DIR. */
export interface CatalogueEntry {
  slug: string;
  kind: 'chat' | 'embedding';
  grade?: 'starter';
  file: string;
  /** Where the file, or what it is made from, is published. */
  url: string;
  /** Exact when `sha256` is pinned, else as published at the time of writing. */
  bytes: number;
  /** Pinned digest of the file; without it the digest is recorded at the first download, in `<file>.sha256`. */
  sha256?: string;
  license: string;
  languages: string[];
  /** Tokens of context that are used; never more than the model's own. */
  contextLength: number;
  /** Memory of one token of chat context. */
  contextBytesPerToken?: number;
  /** Against loops of small models: applies to the last 64 tokens of the answer itself; 1 = off. */
  repeatPenalty?: number;
  /** Can think before it answers. */
  thinking?: true;
  embedding?: EmbeddingTraits;
}

export type ChatEntry = CatalogueEntry & { kind: 'chat' };
export type EmbeddingEntry = CatalogueEntry & { kind: 'embedding'; embedding: EmbeddingTraits };

/** Built-in models first; scripts/ read the same file. */
export const CATALOGUE = entries as readonly CatalogueEntry[];

/** The command that puts an entry's file into MODELS_DIR. */
export function fetchCommand(entry: CatalogueEntry): string {
  return entry.sha256 === undefined ? `npm run models -- fetch ${entry.slug}` : 'npm run models -- fetch';
}

export function isChat(entry: CatalogueEntry): entry is ChatEntry {
  return entry.kind === 'chat';
}

export function isEmbedding(entry: CatalogueEntry): entry is EmbeddingEntry {
  return entry.kind === 'embedding' && entry.embedding !== undefined;
}
