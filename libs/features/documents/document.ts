import type { JobFailure } from '@features/jobs';
import type { Metadata } from './metadata';

export const DOCUMENT_STATUSES = ['pending', 'ingesting', 'ready', 'failed'] as const;
export type DocumentStatus = (typeof DOCUMENT_STATUSES)[number];

/** A row of `documents`. */
export interface StoredDocument {
  id: string;
  workspaceId: string;
  ownerId: string;
  collectionId: string;
  /** Name of the collection. */
  collection: string;
  name: string;
  externalId: string | null;
  mediaType: string;
  bytes: number;
  /** Lower-case hex, of the original. */
  sha256: string;
  status: DocumentStatus;
  error: JobFailure | null;
  language: string | null;
  pages: number | null;
  chunks: number;
  version: number;
  visibleVersion: number | null;
  contentVersion: number;
  metadata: Metadata;
  jobId: string | null;
  createdAt: Date;
  updatedAt: Date;
}
