import type { Metadata } from '@features/vectors';
import type { JobFailure } from '@features/jobs';

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
  /** The character set that its sender declared. */
  charset: string | null;
  bytes: number;
  /** Lower-case hex, of the original; null while the content of an address has not arrived. */
  sha256: string | null;
  /** Where it was fetched from. */
  sourceUrl: string | null;
  status: DocumentStatus;
  /** Of a document that is ready: why its last replacement failed. */
  error: JobFailure | null;
  /** As the content names itself. */
  title: string | null;
  language: string | null;
  pages: number | null;
  chunks: number;
  version: number;
  visibleVersion: number | null;
  contentVersion: number;
  metadata: Metadata;
  jobId: string | null;
  /** Counts the changes that people see. */
  revision: number;
  createdAt: Date;
  updatedAt: Date;
}
