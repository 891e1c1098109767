export { DOCUMENT_STATUSES, type DocumentStatus, type StoredDocument } from './document';
export { DocumentIntake, type AcceptedDocument, type NewDocument, type ReceivedContent } from './document-intake.service';
export { DocumentRemoval } from './document-removal.service';
export { DocumentSweep } from './document-sweep.service';
export type { Origin } from './document-tries.service';
export { ingestDocument } from './documents.jobs';
export { DocumentsModule } from './documents.module';
export { Documents, type TextSlice } from './documents.service';
export { asMetadata, type Metadata } from './metadata';
