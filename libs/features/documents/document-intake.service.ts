import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { isUniqueViolation } from '@backing/postgres';
import { Jobs } from '@features/jobs';
import { Collections } from '@features/vectors';
import { Blobs } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import { v7 } from 'uuid';
import { originalKey } from './blob-keys';
import type { StoredDocument } from './document';
import { DocumentTries, type Origin } from './document-tries.service';
import { DocumentsRepository } from './documents.repository';
import type { Metadata } from './metadata';
import { ContentInspector, type MediaType } from './text/content.inspector';

/** An original that is stored and not yet anybody's. */
export interface ReceivedContent {
  documentId: string;
  bytes: number;
  sha256: string;
  mediaType: MediaType;
}

export interface NewDocument {
  /** Name of the collection. */
  collection: string;
  name: string;
  externalId: string | null;
  metadata: Metadata;
}

/** The document, and the job that reads it when there is a new one. */
export interface AcceptedDocument {
  document: StoredDocument;
  jobId: string | null;
}

/** Two of the same content may meet, and one may fail or go meanwhile: then it is looked at again. */
const MOST_MEETINGS = 5;

/** Takes documents in. Errors: `not_found` (collection), `too_large`, `unsupported_media_type`, `unprocessable`, `storage_full`. */
@Injectable()
export class DocumentIntake {
  constructor(
    private readonly repository: DocumentsRepository,
    private readonly tries: DocumentTries,
    private readonly collections: Collections,
    private readonly jobs: Jobs,
    private readonly blobs: Blobs,
  ) {}

  /** Stores an original while it is inspected; what is refused leaves nothing. */
  async receive(content: Readable | Buffer, maxBytes: number, name = ''): Promise<ReceivedContent> {
    const documentId = v7();
    const inspector = new ContentInspector(name);
    let mediaType: MediaType | undefined;
    async function* inspected(): AsyncGenerator<Buffer> {
      for await (const chunk of Buffer.isBuffer(content) ? [content] : content) {
        const bytes = Buffer.from(chunk as Uint8Array);
        inspector.take(bytes);
        yield bytes;
      }
      mediaType = inspector.finish().mediaType;
    }
    const stored = await this.blobs.put(originalKey(documentId, 1), Readable.from(inspected()), { maxBytes });
    return { documentId, ...stored, mediaType: mediaType ?? 'text/plain' };
  }

  /** Gives a received original back. What cannot be removed now goes at the next start. */
  async discard(received: ReceivedContent): Promise<void> {
    await this.blobs.delete(originalKey(received.documentId, 1)).catch(() => undefined);
  }

  /**
   * Makes a document of a received original and accepts its job. The original is given back when the collection has these bytes already
   * (then that document is the answer) and when this is refused.
   */
  async accept(received: ReceivedContent, wanted: NewDocument, origin: Origin): Promise<AcceptedDocument> {
    const collectionId = await this.checked(received, wanted, origin);
    for (let meeting = 1; meeting <= MOST_MEETINGS; meeting += 1) {
      const known = await this.known(collectionId, received, origin);
      if (known !== undefined) {
        await this.discard(received);
        return known;
      }
      const accepted = await this.insert(collectionId, received, wanted, origin);
      if (accepted !== undefined) return accepted;
    }
    await this.discard(received);
    throw new AppError('conflict', 'The same content is being changed by others; try again.', { retryable: true });
  }

  private async checked(received: ReceivedContent, wanted: NewDocument, { principal }: Origin): Promise<string> {
    try {
      const [collection] = await this.collections.resolve(principal.workspaceId, [wanted.collection]);
      if (collection === undefined) throw AppError.notFound(`The collection '${wanted.collection}'`);
      if (wanted.externalId !== null && (await this.repository.hasExternal(collection.id, wanted.externalId))) {
        throw AppError.field('unprocessable', 'external_id', 'a document has this id, and replacing is not supported yet.');
      }
      return collection.id;
    } catch (error) {
      await this.discard(received);
      throw error;
    }
  }

  /** The collection's document with these bytes; a failed one is tried again. */
  private async known(collectionId: string, { sha256 }: ReceivedContent, origin: Origin): Promise<AcceptedDocument | undefined> {
    const found = await this.repository.findContent(collectionId, sha256);
    if (found === undefined) return undefined;
    if (found.status !== 'failed') return { document: found, jobId: null };
    const jobId = await this.tries.again(found.id, origin);
    const document = jobId === undefined ? undefined : await this.repository.find(origin.principal.workspaceId, found.id);
    return document === undefined || jobId === undefined ? undefined : { document, jobId };
  }

  /** Undefined when somebody was first with these bytes. After any other failure the original stays: the statement may have been committed. */
  private async insert(
    collectionId: string,
    received: ReceivedContent,
    wanted: NewDocument,
    origin: Origin,
  ): Promise<AcceptedDocument | undefined> {
    const { documentId: id, ...content } = received;
    const { name, externalId, metadata } = wanted;
    const { workspaceId, userId: ownerId } = origin.principal;
    const job = this.tries.acceptance(id, 1, origin);
    try {
      await this.repository.accept({ id, workspaceId, ownerId, collectionId, name, externalId, metadata, ...content }, job);
    } catch (error) {
      if (isUniqueViolation(error, 'documents_content')) return undefined;
      if (!isUniqueViolation(error, 'documents_external')) throw error;
      await this.discard(received);
      throw AppError.field('unprocessable', 'external_id', 'a document has this id, and replacing is not supported yet.');
    }
    this.jobs.wake();
    const document = await this.repository.find(workspaceId, id);
    if (document === undefined) throw AppError.notFound('The document');
    return { document, jobId: job.jobId };
  }
}
