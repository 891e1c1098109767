import { Module } from '@nestjs/common';
import { ModelsModule } from '@features/models';
import { CollectionCatalogue } from './collection-catalogue.service';
import { CollectionRemains } from './collection-remains.service';
import { CollectionSpaces } from './collection-spaces.service';
import { CollectionsRepository } from './collections.repository';
import { Collections } from './collections.service';
import { PointsRepository } from './points.repository';
import { Points } from './points.service';
import { PointLedger } from './points/point-ledger.repository';
import { PointWriter } from './points/point-writer.service';
import { UserPoints } from './points/user-points.service';
import { PointSearch } from './search/point-search.service';
import { PointTexts } from './search/point-texts.repository';
import { PointVectors } from './search/point-vectors.repository';
import { SearchRepository } from './search.repository';
import { Search } from './search.service';
import { SpaceStores } from './stores/space-stores.service';
import { StoreChanges } from './stores/store-changes.repository';
import { StoreDelivery } from './stores/store-delivery.service';
import { StoreDrainer } from './stores/store-drainer.service';
import { StoreSync } from './stores/store-sync.service';

/** Collections, embedding spaces, the ledger of points and search. */
@Module({
  imports: [ModelsModule],
  providers: [
    CollectionCatalogue,
    CollectionRemains,
    CollectionSpaces,
    CollectionsRepository,
    Collections,
    PointLedger,
    PointSearch,
    PointTexts,
    PointVectors,
    PointWriter,
    PointsRepository,
    Points,
    SearchRepository,
    Search,
    SpaceStores,
    StoreChanges,
    StoreDelivery,
    StoreDrainer,
    StoreSync,
    UserPoints,
  ],
  exports: [CollectionCatalogue, CollectionRemains, CollectionSpaces, Collections, Points, PointSearch, PointWriter, Search, UserPoints],
})
export class VectorsModule {}
