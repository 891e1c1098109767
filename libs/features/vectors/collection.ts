import type { EmbeddingSpace } from '@kernel/vectors';

/** A named set of points of one workspace; `space` is null until the first vector decides which model it holds. */
export interface Collection {
  id: string;
  workspaceId: string;
  name: string;
  /** ISO 639-1; null: detected for each document. */
  language: string | null;
  description: string | null;
  space: EmbeddingSpace | null;
  /** Changes with every change of the collection itself; its points do not count. */
  revision: number;
  createdAt: Date;
  updatedAt: Date;
}

/** How much a collection shows. */
export interface CollectionCounts {
  /** Users' points and visible chunks. */
  points: number;
  documents: number;
}

export type CountedCollection = Collection & { counts: CollectionCounts };
