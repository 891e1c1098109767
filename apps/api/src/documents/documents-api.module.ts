import { Module } from '@nestjs/common';
import { DocumentsModule } from '@features/documents';
import { JobsModule } from '@features/jobs';
import { DocumentRequests } from './document-requests.service';
import { DocumentsController } from './documents.controller';
import { UploadReader } from './upload-reader.service';

/** The HTTP edge of documents. */
@Module({ imports: [DocumentsModule, JobsModule], controllers: [DocumentsController], providers: [DocumentRequests, UploadReader] })
export class DocumentsApiModule {}
