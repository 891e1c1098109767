import { Module } from '@nestjs/common';
import { DocumentsModule } from '@features/documents';
import { JobsModule } from '@features/jobs';
import { LineageModule } from '@features/lineage';
import { IdempotencyApiModule } from '../idempotency/idempotency-api.module';
import { DocumentRequests } from './document-requests.service';
import { DocumentsController } from './documents.controller';
import { LineageController } from './lineage.controller';
import { UploadReader } from './upload-reader.service';

/** The HTTP edge of documents. */
@Module({
  imports: [DocumentsModule, IdempotencyApiModule, JobsModule, LineageModule],
  controllers: [DocumentsController, LineageController],
  providers: [DocumentRequests, UploadReader],
})
export class DocumentsApiModule {}
