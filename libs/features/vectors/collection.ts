import type { EmbeddingSpace } from '@kernel/vectors';

/** A named set of points of one workspace; `space` is null until the first vector decides which model it holds. */
export interface Collection {
  id: string;
  workspaceId: string;
  name: string;
  /** ISO 639-1; null: detected for each document. */
  language: string | null;
  space: EmbeddingSpace | null;
  createdAt: Date;
}
