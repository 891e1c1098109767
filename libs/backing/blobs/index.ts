export { BlobsModule } from './blobs.module';
export { FileBlobs } from './files.store';
