import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import type { JobContext, JobFailure } from '@features/jobs';
import { Models } from '@features/models';
import { Points, type NewPoint } from '@features/vectors';
import { AppError } from '@kernel/errors';
import { z } from 'zod';
import type { StoredDocument } from './document';
import type { IngestDocument } from './documents.jobs';
import { DocumentsRepository } from './documents.repository';
import { IngestPlanner, type IngestPlan } from './ingest-planner.service';
import { CHUNKER_VERSION } from './text/chunker';

/** Inputs of one call of the model; rows of one transaction. */
const BATCH = 8;

/** Points that are in the ledger, and how many of them are surely in the store. */
const progressed = z.object({ chunker: z.literal(CHUNKER_VERSION), recorded: z.int().min(0), published: z.int().min(0) });
type Progressed = z.infer<typeof progressed>;

/** What is known of a text once it is read. */
export interface IngestedText {
  language: string | null;
  /** Null where the kind of document has none. */
  pages: number | null;
  title: string | null;
}

interface Ingest {
  context: JobContext<IngestDocument>;
  document: StoredDocument;
  plan: IngestPlan;
}

/**
 * Writes what a plan says: for each batch embed, then the ledger with the checkpoint, then the store. A batch that is in the ledger is never
 * embedded again; one that may be missing in the store is brought there again from the ledger.
 */
@Injectable()
export class IngestWriter {
  constructor(
    private readonly repository: DocumentsRepository,
    private readonly planner: IngestPlanner,
    private readonly models: Models,
    private readonly points: Points,
  ) {}

  async write(context: JobContext<IngestDocument>): Promise<IngestedText> {
    const { document_id: id, version } = context.payload;
    const document = await context.transaction((connection) => this.repository.begin(connection, id, version));
    if (document === undefined) throw AppError.notFound('The document');
    await context.progress({ done: 0, total: 0, unit: 'chunks', message: 'Reading the text' });
    const plan = await this.planner.plan(document, context.signal);
    const ingest = { context, document, plan };
    const from = await this.resumed(ingest);
    if (from.published < from.recorded) await this.publish(ingest, from.published, from.recorded);
    for (let at = from.recorded; at < plan.points.length; at += BATCH) await this.batch(ingest, at);
    return { language: plan.language, pages: plan.pages, title: plan.title };
  }

  /** Makes the version visible; what it counts is what the ledger holds. */
  async show(
    connection: Queryable,
    { document_id: id, version }: IngestDocument,
    { language, pages, title }: IngestedText,
  ): Promise<{ document_id: string; chunks: number }> {
    const { chunks, lexemes } = await this.points.totals(connection, id, version);
    await this.repository.finish(connection, id, version, { chunks, lexemes, language, pages, title });
    return { document_id: id, chunks };
  }

  async fail(connection: Queryable, { document_id: id, version }: IngestDocument, error: JobFailure): Promise<void> {
    await this.repository.fail(connection, id, version, error);
  }

  private async resumed({ context, document }: Ingest): Promise<Progressed> {
    const known = progressed.safeParse(context.checkpoint);
    if (known.success) return known.data;
    const fresh: Progressed = { chunker: CHUNKER_VERSION, recorded: 0, published: 0 };
    // Another release began this with other chunks.
    if (context.checkpoint !== null)
      await context.transaction((connection) => this.points.forget(connection, document.id, document.version), fresh);
    return fresh;
  }

  private async batch(ingest: Ingest, at: number): Promise<void> {
    const { context, document, plan } = ingest;
    const planned = plan.points.slice(at, at + BATCH);
    const { vectors } = await this.models.embed(
      { model: plan.model.id, texts: planned.map(({ input }) => input), input: 'document', signal: context.signal },
      { workspaceId: context.workspaceId, userId: context.ownerId, apiKeyId: context.apiKeyId, jobId: context.jobId },
      'batch',
    );
    const points = planned.map(({ point }, index): NewPoint => {
      const vector = vectors[index];
      if (vector === undefined) throw new AppError('internal', `The model ${plan.model.id} answered too few vectors.`);
      return { ...point, vector };
    });
    const { workspaceId, ownerId, collectionId, id: documentId, version: documentVersion } = document;
    const owner = { workspaceId, ownerId, collectionId, documentId, documentVersion };
    const to = at + planned.length;
    await context.transaction((connection) => this.points.record(connection, plan.space, owner, points), {
      chunker: CHUNKER_VERSION,
      recorded: to,
      published: at,
    } satisfies Progressed);
    await this.publish(ingest, at, to);
  }

  private async publish({ context, plan }: Ingest, from: number, to: number): Promise<void> {
    const ids = plan.points.slice(from, to).map(({ point }) => point.id);
    await this.points.publish(plan.space, ids);
    await context.progress({ done: to, total: plan.points.length, unit: 'chunks', message: 'Making the text searchable' });
  }
}
