import { Global, Module } from '@nestjs/common';
import { FileBlobs } from './files.store';

/** Blobs as files under `DATA_DIR`. */
@Global()
@Module({ providers: [FileBlobs], exports: [FileBlobs] })
export class BlobsModule {}
