import { Injectable } from '@nestjs/common';
import { Collections } from '@features/vectors';
import { Blobs } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import type { Page, PageQuery } from '@kernel/paging';
import { textKey } from './blob-keys';
import type { DocumentStatus, StoredDocument } from './document';
import { DocumentsRepository } from './documents.repository';

/** A slice of an extracted text; offsets are UTF-16 code units. */
export interface TextSlice {
  start: number;
  end: number;
  /** Of the whole text. */
  length: number;
  text: string;
}

/** Reads the documents of a workspace, which its members share. Errors: `not_found`, also for another workspace's. */
@Injectable()
export class Documents {
  constructor(
    private readonly repository: DocumentsRepository,
    private readonly collections: Collections,
    private readonly blobs: Blobs,
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

  /** The extracted text or a part of it, of the version that searches see; `conflict` before there is one. */
  async text(workspaceId: string, id: string, start = 0, end = Number.POSITIVE_INFINITY): Promise<TextSlice> {
    const document = await this.get(workspaceId, id);
    if (document.visibleVersion === null) throw new AppError('conflict', `The document has no text yet: it is ${document.status}.`);
    const text = (await this.blobs.get(textKey(id, document.visibleVersion))).toString('utf8');
    const from = Math.min(start, text.length);
    const to = Math.max(from, Math.min(end, text.length));
    return { start: from, end: to, length: text.length, text: text.slice(from, to) };
  }
}
