import { Module } from '@nestjs/common';
import { CollectionsRepository } from './collections.repository';
import { Collections } from './collections.service';

/** Collections, embedding spaces, the ledger of points and hybrid search. */
@Module({
  providers: [CollectionsRepository, Collections],
  exports: [Collections],
})
export class VectorsModule {}
