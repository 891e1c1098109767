export { GraphChangesRepository } from './graph-changes.repository';
export { GraphFill } from './graph-fill.service';
export { LedgerFactsRepository } from './ledger-facts.repository';
export { LineageFeed } from './lineage-feed.service';
export { LineageModule } from './lineage.module';
export { Lineage, type DocumentLineage } from './lineage.service';
