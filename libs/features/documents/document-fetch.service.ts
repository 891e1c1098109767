import { Injectable } from '@nestjs/common';
import { EgressClient, type FetchedContent } from '@backing/egress';
import { isUniqueViolation, type Queryable } from '@backing/postgres';
import type { JobContext } from '@features/jobs';
import { AppConfig } from '@kernel/config';
import type { StoredDocument } from './document';
import { cleanName, nameOfUrl } from './document-name';
import { DocumentOriginals, type ReceivedContent } from './document-originals.service';
import { DocumentReplacementsRepository } from './document-replacements.repository';
import { contentTaken } from './document-replacements.service';
import type { IngestDocument } from './documents.jobs';
import { DocumentsRepository, superseded } from './documents.repository';

/** What came is known already: by another document, or (null) as what this one shows. */
export interface KnownContent {
  known: string | null;
}

const ACCEPTED = 'text/html,application/pdf,text/markdown,text/plain,application/json,text/csv,*/*;q=0.5';
/** For everything: look-ups, redirects and the last byte. */
const SECONDS = 60;

/** Brings the original of a document that was given by its address. Errors as of the egress client and the inspector; `conflict`, `cancelled`. */
@Injectable()
export class DocumentFetch {
  constructor(
    private readonly documents: DocumentsRepository,
    private readonly replacements: DocumentReplacementsRepository,
    private readonly originals: DocumentOriginals,
    private readonly egress: EgressClient,
    private readonly config: AppConfig,
  ) {}

  /** Undefined when there is something to read; another attempt of the job fetches nothing twice. */
  async bring(context: JobContext<IngestDocument>): Promise<KnownContent | undefined> {
    const { document_id: id, version } = context.payload;
    const document = await context.transaction((connection) => this.documents.begin(connection, id, version));
    if (document === undefined) throw superseded();
    if (document.sha256 !== null || document.sourceUrl === null) return undefined;
    await context.progress({ done: 0, total: 0, unit: 'bytes', message: 'Fetching' });
    const maxBytes = this.config.http.uploadBytes;
    const fetched = await this.egress.fetch(document.sourceUrl, { maxBytes, seconds: SECONDS, accept: ACCEPTED, signal: context.signal });
    const name = nameOf(fetched);
    const { contentType } = fetched;
    const place = { documentId: id, contentVersion: document.contentVersion };
    const received = await this.originals.receive(fetched.content, { name: name ?? nameOfUrl(fetched.url).name, contentType, place });
    const record = () => context.transaction((connection) => this.record(connection, document, received, name));
    // Somebody else was a moment faster with these bytes: now they are there to be found.
    return record().catch((error: unknown) => {
      if (isUniqueViolation(error, 'documents_content')) return record();
      throw error;
    });
  }

  /** In the transaction that ends the job: a provisional document goes, and one that has this content already stays as it is. */
  async conclude(connection: Queryable, workspaceId: string, { document_id: id, version }: IngestDocument, { known }: KnownContent) {
    const document = await this.documents.lock(connection, workspaceId, id);
    if (document === undefined || document.version !== version) throw superseded();
    if (known === null) {
      await this.replacements.dismiss(connection, id, version);
      return { document_id: id, chunks: document.chunks, unchanged: true };
    }
    await this.documents.remove(connection, workspaceId, id);
    const existing = await this.documents.lock(connection, workspaceId, known);
    return { document_id: known, chunks: existing?.chunks ?? 0, duplicate: true };
  }

  private async record(
    connection: Queryable,
    document: StoredDocument,
    received: ReceivedContent,
    name: string | null,
  ): Promise<KnownContent | undefined> {
    const current = await this.documents.lock(connection, document.workspaceId, document.id);
    if (current === undefined || current.version !== document.version) throw superseded();
    if (current.visibleVersion !== null && current.sha256 === received.sha256) return { known: null };
    const other = await this.documents.findOther(connection, document, received.sha256 ?? '');
    if (other !== undefined && current.visibleVersion !== null) throw contentTaken();
    if (other !== undefined) return { known: other.id };
    await this.replacements.arrived(connection, document, received);
    if (name !== null) await this.replacements.name(connection, document.id, name);
    return undefined;
  }
}

/** The name of a file; null for a page, which its title names better. */
function nameOf({ fileName, url }: FetchedContent): string | null {
  const proposed = fileName === null ? null : cleanName(fileName);
  if (proposed !== null) return proposed;
  const { name, sure } = nameOfUrl(url);
  return sure ? name : null;
}
