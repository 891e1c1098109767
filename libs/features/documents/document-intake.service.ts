import { Injectable } from '@nestjs/common';
import { isUniqueViolation } from '@backing/postgres';
import { Collections } from '@features/vectors';
import { AppError } from '@kernel/errors';
import { nameOfUrl } from './document-name';
import { DocumentOriginals, type ReceivedContent } from './document-originals.service';
import { DocumentReplacements, type AcceptedDocument } from './document-replacements.service';
import { DocumentTries, type Origin } from './document-tries.service';
import { DocumentsRepository, type DocumentChange } from './documents.repository';

export interface NewDocument extends DocumentChange {
  /** Name of the collection. */
  collection: string;
  externalId: string | null;
}

/** Two of the same content may meet, and one may fail or go meanwhile: then it is looked at again. */
const MOST_MEETINGS = 5;

/** Takes documents in. Errors: `not_found` (collection), `conflict`. */
@Injectable()
export class DocumentIntake {
  constructor(
    private readonly repository: DocumentsRepository,
    private readonly tries: DocumentTries,
    private readonly collections: Collections,
    private readonly originals: DocumentOriginals,
    private readonly replacements: DocumentReplacements,
  ) {}

  /**
   * Makes a document of a received original and accepts its job; with an external id that a document of the collection has, the original takes
   * the place of that one's. It is given back when the collection has these bytes already (then that document is the answer) and when it is
   * refused.
   */
  async accept(received: ReceivedContent, wanted: NewDocument, origin: Origin): Promise<AcceptedDocument> {
    const collectionId = await this.collection(received, wanted, origin);
    try {
      return await this.met(collectionId, received, wanted, origin);
    } catch (error) {
      if (isRefusal(error)) await this.originals.discard(received);
      throw error;
    }
  }

  private async met(collectionId: string, received: ReceivedContent, wanted: NewDocument, origin: Origin): Promise<AcceptedDocument> {
    for (let meeting = 1; meeting <= MOST_MEETINGS; meeting += 1) {
      const met = (await this.replaced(collectionId, received, wanted, origin)) ?? (await this.known(collectionId, received, origin));
      if (met !== undefined) return met;
      const accepted = await this.insert(collectionId, received, wanted, origin);
      if (accepted !== undefined) return accepted;
    }
    await this.originals.discard(received);
    throw new AppError('conflict', 'The same content is being changed by others; try again.', { retryable: true });
  }

  private async collection(received: ReceivedContent, wanted: NewDocument, { principal }: Origin): Promise<string> {
    try {
      const [collection] = await this.collections.resolve(principal.workspaceId, [wanted.collection]);
      if (collection === undefined) throw AppError.notFound(`The collection '${wanted.collection}'`);
      if (collection.space !== null && collection.space.model === null)
        throw AppError.field(
          'unprocessable',
          'collection',
          `'${collection.name}' holds vectors that you bring: no model can embed a document for it.`,
        );
      return collection.id;
    } catch (error) {
      await this.originals.discard(received);
      throw error;
    }
  }

  private async replaced(
    collectionId: string,
    received: ReceivedContent,
    { name, metadata, externalId }: NewDocument,
    origin: Origin,
  ): Promise<AcceptedDocument | undefined> {
    if (externalId === null) return undefined;
    const document = await this.repository.findExternal(collectionId, externalId);
    return document === undefined ? undefined : this.replacements.adopt(document, received, { name, metadata }, origin);
  }

  /** The collection's document with these bytes; a failed one is tried again. */
  private async known(collectionId: string, received: ReceivedContent, origin: Origin): Promise<AcceptedDocument | undefined> {
    if (received.sha256 === null) return undefined;
    const found = await this.repository.findContent(collectionId, received.sha256);
    if (found === undefined) return undefined;
    const jobId = found.status === 'failed' ? await this.tries.again(found.id, origin) : null;
    const document = jobId === null ? found : await this.repository.find(origin.principal.workspaceId, found.id);
    if (document === undefined || jobId === undefined) return undefined;
    await this.originals.discard(received);
    return { document, jobId };
  }

  /** Undefined when somebody was first with these bytes or this id. After any other failure the original stays: the statement may have been committed. */
  private async insert(
    collectionId: string,
    received: ReceivedContent,
    { name, metadata = {}, externalId }: NewDocument,
    origin: Origin,
  ): Promise<AcceptedDocument | undefined> {
    const { documentId: id, contentVersion: _first, ...content } = received;
    const { workspaceId, userId: ownerId } = origin.principal;
    const provisional =
      name === undefined && content.sourceUrl !== null ? nameOfUrl(content.sourceUrl) : { name: name ?? 'document', sure: true };
    const job = this.tries.acceptance(id, 1, origin);
    const row = {
      id,
      workspaceId,
      ownerId,
      collectionId,
      externalId,
      metadata,
      name: provisional.name,
      named: provisional.sure,
      ...content,
    };
    try {
      await this.repository.accept(row, job);
    } catch (error) {
      if (isUniqueViolation(error, 'documents_content') || isUniqueViolation(error, 'documents_external')) return undefined;
      throw error;
    }
    await this.tries.begun(null);
    const document = await this.repository.find(workspaceId, id);
    if (document === undefined) throw AppError.notFound('The document');
    return { document, jobId: job.jobId };
  }
}

/** The request came before, or comes twice at once: nothing of it was written. */
function isRefusal(error: unknown): boolean {
  return error instanceof AppError && error.code.startsWith('idempotency_');
}
