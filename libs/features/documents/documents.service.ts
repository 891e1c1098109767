import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { Collections } from '@features/vectors';
import { Blobs } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import type { Page, PageQuery } from '@kernel/paging';
import { originalKey, textKey } from './blob-keys';
import type { DocumentStatus, StoredDocument } from './document';
import { DocumentChunksRepository, type DocumentChunk } from './document-chunks.repository';
import { assertKnown, type KnownRevisions } from './document-replacements.service';
import { DocumentsRepository, type DocumentChange } from './documents.repository';

/** A slice of an extracted text; offsets are UTF-16 code units. */
export interface TextSlice {
  start: number;
  end: number;
  /** Of the whole text. */
  length: number;
  text: string;
}

/** A blob of a document as its row was when the blob was opened; the content must be read or destroyed. */
export interface OpenedDocument {
  document: StoredDocument;
  content: Readable;
}

/** Shows the documents of a workspace, which its members share, and changes what is said of them. Errors: `not_found`, also for another workspace's. */
@Injectable()
export class Documents {
  constructor(
    private readonly repository: DocumentsRepository,
    private readonly passages: DocumentChunksRepository,
    private readonly collections: Collections,
    private readonly blobs: Blobs,
    private readonly postgres: PostgresClient,
  ) {}

  async get(workspaceId: string, id: string): Promise<StoredDocument> {
    const document = await this.repository.find(workspaceId, id);
    if (document === undefined) throw AppError.notFound('The document');
    return document;
  }

  /** `collection` is a name. */
  async list(
    workspaceId: string,
    filter: { collection?: string; status?: DocumentStatus },
    page: PageQuery,
  ): Promise<Page<StoredDocument>> {
    const [collection] = await this.collections.resolve(workspaceId, filter.collection === undefined ? [] : [filter.collection]);
    return this.repository.list(workspaceId, { collectionId: collection?.id, status: filter.status }, page);
  }

  /** Name and metadata, each replaced whole; at once, also for searches. Errors: `precondition_failed`. */
  async change(workspaceId: string, id: string, change: DocumentChange, known: KnownRevisions): Promise<StoredDocument> {
    await this.postgres.transaction(async (connection) => {
      const document = await this.repository.lock(connection, workspaceId, id);
      if (document === undefined) throw AppError.notFound('The document');
      assertKnown(document, known);
      await this.repository.change(connection, id, change);
    });
    return this.get(workspaceId, id);
  }

  /** The extracted text or a part of it, of the version that searches see; `conflict` before there is one. */
  async text(workspaceId: string, id: string, start = 0, end = Number.POSITIVE_INFINITY): Promise<TextSlice> {
    const { content } = await this.blob(workspaceId, id, (document) => textKey(id, shown(document)));
    const text = await buffer(content).then((bytes) => bytes.toString('utf8'));
    const from = Math.min(start, text.length);
    const to = Math.max(from, Math.min(end, text.length));
    return { start: from, end: to, length: text.length, text: text.slice(from, to) };
  }

  /** The passages of the version that searches see, in the order of the text; `conflict` before there is one. */
  async chunks(workspaceId: string, id: string, page: PageQuery): Promise<Page<DocumentChunk>> {
    shown(await this.get(workspaceId, id));
    return this.passages.list(id, page);
  }

  /** The original of the version that searches see, or of the first one; `conflict` while the content of an address has not arrived. */
  async content(workspaceId: string, id: string): Promise<OpenedDocument> {
    return this.blob(workspaceId, id, (document) => {
      if (document.sha256 === null) throw new AppError('conflict', `The document has no content: it is ${document.status}.`);
      return originalKey(id, document.contentVersion);
    });
  }

  /** A blob whose key stands in the document's row; a replacement that ends between the two reads is no error. */
  private async blob(workspaceId: string, id: string, key: (document: StoredDocument) => string): Promise<OpenedDocument> {
    for (let document = await this.get(workspaceId, id); ; ) {
      try {
        return { document, content: await this.blobs.open(key(document)) };
      } catch (error) {
        const again = await this.get(workspaceId, id);
        if (!(error instanceof AppError && error.code === 'not_found') || key(again) === key(document)) throw error;
        document = again;
      }
    }
  }
}

function shown(document: StoredDocument): number {
  if (document.visibleVersion === null) throw new AppError('conflict', `The document has no text yet: it is ${document.status}.`);
  return document.visibleVersion;
}
