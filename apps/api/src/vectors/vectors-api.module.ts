import { Module } from '@nestjs/common';
import { DocumentsModule } from '@features/documents';
import { HealthModule } from '@features/health';
import { PointBatchesModule, VectorsModule } from '@features/vectors';
import { CollectionsController } from './collections.controller';
import { PointQueriesController } from './point-queries.controller';
import { PointRequests } from './point-requests.service';
import { PointsController } from './points.controller';
import { SearchController } from './search.controller';
import { StoreList } from './store-list.service';

/** The HTTP edge of collections, points and search. */
@Module({
  imports: [VectorsModule, PointBatchesModule, DocumentsModule, HealthModule],
  controllers: [CollectionsController, PointsController, PointQueriesController, SearchController],
  providers: [PointRequests, StoreList],
})
export class VectorsApiModule {}
