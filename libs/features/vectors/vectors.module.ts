import { Module } from '@nestjs/common';
import { ModelsModule } from '@features/models';
import { CollectionsRepository } from './collections.repository';
import { Collections } from './collections.service';
import { PointsRepository } from './points.repository';
import { Points } from './points.service';
import { SearchRepository } from './search.repository';
import { Search } from './search.service';

/** Collections, embedding spaces, the ledger of points and hybrid search. */
@Module({
  imports: [ModelsModule],
  providers: [CollectionsRepository, Collections, PointsRepository, Points, SearchRepository, Search],
  exports: [Collections, Points, Search],
})
export class VectorsModule {}
