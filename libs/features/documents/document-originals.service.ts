import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { EgressClient } from '@backing/egress';
import { PostgresClient } from '@backing/postgres';
import { Blobs } from '@kernel/blobs';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { v7 } from 'uuid';
import { originalKey } from './blob-keys';
import { DocumentReplacementsRepository, type Content } from './document-replacements.repository';
import { ContentInspector, type MediaType } from './text/content.inspector';

/** Where an original lies: the numbers in its key. */
export interface OriginalPlace {
  documentId: string;
  contentVersion: number;
}

/** An original that is stored, or an address whose content is still to come; not yet anybody's. */
export type ReceivedContent = OriginalPlace & Content;

export interface Received {
  /** As its sender calls the file; it decides only between kinds of text. */
  name?: string;
  /** Header `Content-Type` of the file. */
  contentType?: string | null;
  /** A place that was reserved for it; a new document's when unset. */
  place?: OriginalPlace;
}

/** Of an address that nobody has fetched yet. */
const UNKNOWN_TYPE = 'application/octet-stream';

/** Stores originals, and gives back what nobody wants. Errors: `too_large`, `unsupported_media_type`, `unprocessable`, `storage_full`. */
@Injectable()
export class DocumentOriginals {
  constructor(
    private readonly blobs: Blobs,
    private readonly replacements: DocumentReplacementsRepository,
    private readonly postgres: PostgresClient,
    private readonly egress: EgressClient,
    private readonly config: AppConfig,
  ) {}

  /** Stores an original while it is inspected; what is refused leaves nothing. At most `MAX_UPLOAD_BYTES`. */
  async receive(content: Readable | Buffer, { name = '', contentType, place }: Received = {}): Promise<ReceivedContent> {
    const { documentId, contentVersion } = place ?? newPlace();
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
    const key = originalKey(documentId, contentVersion);
    const put = () => this.blobs.put(key, Readable.from(inspected()), { maxBytes: this.config.http.uploadBytes });
    const stored = await this.postgres.beforehand(put);
    const charset = charsetOf(contentType);
    return { documentId, contentVersion, ...stored, mediaType: mediaType ?? 'text/plain', charset, sourceUrl: null };
  }

  /** An address instead of an original: its content comes with the job. `egress_blocked` when it is plain that it may not be reached. */
  awaited(address: string, place: OriginalPlace = newPlace()): ReceivedContent {
    return { ...place, mediaType: UNKNOWN_TYPE, charset: null, bytes: 0, sha256: null, sourceUrl: this.egress.check(address) };
  }

  /** A place for another original of a document. `not_found` without the document. */
  async reserve(workspaceId: string, documentId: string): Promise<OriginalPlace> {
    const contentVersion = await this.postgres.beforehand(() => this.replacements.reserve(workspaceId, documentId));
    if (contentVersion === undefined) throw AppError.notFound('The document');
    return { documentId, contentVersion };
  }

  /** Brings what was received for a new document to the place of another's. */
  async move(received: ReceivedContent, place: OriginalPlace): Promise<ReceivedContent> {
    if (received.sha256 !== null) {
      await this.postgres.beforehand(async () => {
        const bytes = await this.blobs.get(originalKey(received.documentId, received.contentVersion));
        await this.blobs.put(originalKey(place.documentId, place.contentVersion), bytes);
      });
      await this.discard(received);
    }
    return { ...received, ...place };
  }

  /** Gives a place and what lies there back. What cannot be removed now goes at the next start. */
  async discard({ documentId, contentVersion }: OriginalPlace): Promise<void> {
    const remove = async (): Promise<void> => {
      await this.blobs.delete(originalKey(documentId, contentVersion)).catch(() => undefined);
      await this.replacements.release(this.postgres, documentId, contentVersion).catch(() => undefined);
    };
    await this.postgres.afterCommit(() => this.postgres.beforehand(remove));
  }
}

const newPlace = (): OriginalPlace => ({ documentId: v7(), contentVersion: 1 });

function charsetOf(contentType: string | null | undefined): string | null {
  return /;\s*charset\s*=\s*"?([\w.:-]{1,40})/iu.exec(contentType ?? '')?.[1]?.toLowerCase() ?? null;
}
