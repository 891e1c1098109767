import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { isUniqueViolation, PostgresClient, type Queryable } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { StoredDocument } from './document';
import { DocumentOriginals, type OriginalPlace, type ReceivedContent } from './document-originals.service';
import { DocumentReplacementsRepository } from './document-replacements.repository';
import { DocumentTries, type Origin } from './document-tries.service';
import { DocumentsRepository, type DocumentChange } from './documents.repository';

/** The document, and the job that reads it when there is a new one. */
export interface AcceptedDocument {
  document: StoredDocument;
  jobId: string | null;
}

/** What people know of the document that they change: revisions, or undefined for whatever it is. */
export type KnownRevisions = number[] | undefined;

/**
 * Gives documents another content under the same id. What people see stays until the new content can be searched, and stays when that fails.
 * The last of several replacements wins: the jobs of the others end cancelled. Errors: `not_found`, `precondition_failed`, `conflict` (another
 * document of the collection has these bytes).
 */
@Injectable()
export class DocumentReplacements {
  constructor(
    private readonly documents: DocumentsRepository,
    private readonly replacements: DocumentReplacementsRepository,
    private readonly originals: DocumentOriginals,
    private readonly tries: DocumentTries,
    private readonly postgres: PostgresClient,
  ) {}

  /** A place for the new content, before it is received. */
  async reserve(workspaceId: string, id: string, known: KnownRevisions): Promise<OriginalPlace> {
    const document = await this.documents.find(workspaceId, id);
    if (document === undefined) throw AppError.notFound('The document');
    assertKnown(document, known);
    return this.originals.reserve(workspaceId, id);
  }

  /** Accepts what lies at a reserved place. Without a job when it is the content that people see; then only name and metadata change. */
  async replace(received: ReceivedContent, change: DocumentChange, origin: Origin, known?: KnownRevisions): Promise<AcceptedDocument> {
    const { documentId: id } = received;
    const { workspaceId } = origin.principal;
    let next: { jobId: string; before: string | null } | null;
    try {
      next = await this.postgres.transaction((connection) => this.prepare(connection, received, change, origin, known));
    } catch (error) {
      const taken = isUniqueViolation(error, 'documents_content');
      if (taken || error instanceof AppError) await this.originals.discard(received);
      throw taken ? contentTaken() : error;
    }
    if (next === null) await this.originals.discard(received);
    else await this.tries.begun(next.before);
    const document = await this.documents.find(workspaceId, id);
    if (document === undefined) throw AppError.notFound('The document');
    return { document, jobId: next?.jobId ?? null };
  }

  /** The same for what was received as a new document; undefined when the other one is gone by now. */
  async adopt(
    document: StoredDocument,
    received: ReceivedContent,
    change: DocumentChange,
    origin: Origin,
  ): Promise<AcceptedDocument | undefined> {
    try {
      const place = await this.originals.reserve(document.workspaceId, document.id);
      return await this.replace(await this.originals.move(received, place), change, origin);
    } catch (error) {
      if (error instanceof AppError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  private async prepare(
    connection: Queryable,
    received: ReceivedContent,
    change: DocumentChange,
    origin: Origin,
    known: KnownRevisions,
  ): Promise<{ jobId: string; before: string | null } | null> {
    const document = await this.documents.lock(connection, origin.principal.workspaceId, received.documentId);
    if (document === undefined) throw AppError.notFound('The document');
    assertKnown(document, known);
    await this.replacements.release(connection, document.id, received.contentVersion);
    if (document.status === 'ready' && received.sha256 === document.sha256) {
      await this.keep(connection, document, change);
      return null;
    }
    const other = received.sha256 === null ? undefined : await this.documents.findOther(connection, document, received.sha256);
    if (other !== undefined) throw contentTaken();
    if (document.visibleVersion === null) {
      await this.replacements.overwrite(connection, document.id, received);
      await this.documents.change(connection, document.id, change);
    } else await this.replacements.prepare(connection, document, received, change);
    const job = this.tries.acceptance(document.id, document.version + 1, origin);
    await this.documents.tryAgain(connection, document.id, job);
    return { jobId: job.jobId, before: document.jobId };
  }

  private async keep(connection: Queryable, document: StoredDocument, change: DocumentChange): Promise<void> {
    if (document.error !== null) await this.replacements.forgive(connection, document.id);
    const { name = document.name, metadata = document.metadata } = change;
    if (name !== document.name || !isDeepStrictEqual(metadata, document.metadata))
      await this.documents.change(connection, document.id, change);
  }
}

/** `precondition_failed` when the document is not what its caller has read. */
export function assertKnown(document: StoredDocument, known: KnownRevisions): void {
  if (known !== undefined && !known.includes(document.revision))
    throw new AppError('precondition_failed', 'The document has changed since it was read.');
}

export function contentTaken(): AppError {
  return new AppError('conflict', 'Another document of the collection has this content already.');
}
