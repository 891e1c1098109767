import { Module } from '@nestjs/common';
import { BlobsModule, FileBlobs } from '@backing/blobs';
import { EgressModule } from '@backing/egress';
import { ParsersModule } from '@backing/parsers';
import { PostgresBlobs, PostgresModule } from '@backing/postgres';
import { AuditModule } from '@features/audit';
import { DeclaredJobs, JobsModule } from '@features/jobs';
import { ModelsModule } from '@features/models';
import { VectorsModule } from '@features/vectors';
import { Blobs } from '@kernel/blobs';
import { AppConfig } from '@kernel/config';
import { CollectionRemoval } from './collection-removal.service';
import { CitationsRepository } from './citations.repository';
import { DocumentChunksRepository } from './document-chunks.repository';
import { DocumentErasure } from './document-erasure.service';
import { DocumentFetch } from './document-fetch.service';
import { DocumentIntake } from './document-intake.service';
import { DocumentOriginals } from './document-originals.service';
import { DocumentRemoval } from './document-removal.service';
import { DocumentReplacementsRepository } from './document-replacements.repository';
import { DocumentReplacements } from './document-replacements.service';
import { DocumentSweep } from './document-sweep.service';
import { DocumentTries } from './document-tries.service';
import { ingestDocument } from './documents.jobs';
import { DocumentsRepository } from './documents.repository';
import { Documents } from './documents.service';
import { IngestPlanner } from './ingest-planner.service';
import { IngestWriter } from './ingest-writer.service';
import { IngestHandler } from './ingest.handler';

/** Documents: taking them in, reading them in the background, showing and deleting them. */
@Module({
  imports: [AuditModule, BlobsModule, EgressModule, ParsersModule, PostgresModule, JobsModule, ModelsModule, VectorsModule],
  providers: [
    {
      provide: Blobs,
      inject: [AppConfig, FileBlobs, PostgresBlobs],
      useFactory: (config: AppConfig, files: FileBlobs, rows: PostgresBlobs): Blobs => (config.blobs.driver === 'files' ? files : rows),
    },
    { provide: DeclaredJobs, useFactory: () => new DeclaredJobs(ingestDocument) },
    CollectionRemoval,
    CitationsRepository,
    DocumentChunksRepository,
    DocumentErasure,
    DocumentFetch,
    DocumentIntake,
    DocumentOriginals,
    DocumentRemoval,
    DocumentReplacements,
    DocumentReplacementsRepository,
    Documents,
    DocumentsRepository,
    DocumentSweep,
    DocumentTries,
    IngestHandler,
    IngestPlanner,
    IngestWriter,
  ],
  exports: [CollectionRemoval, DocumentIntake, DocumentOriginals, DocumentRemoval, DocumentReplacements, Documents, DocumentSweep],
})
export class DocumentsModule {}
