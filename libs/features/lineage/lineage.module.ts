import { Module } from '@nestjs/common';
import { PostgresModule } from '@backing/postgres';
import { DocumentsModule } from '@features/documents';
import { GraphChangesRepository } from './graph-changes.repository';
import { GraphFill } from './graph-fill.service';
import { LedgerFactsRepository } from './ledger-facts.repository';
import { LineageFeed } from './lineage-feed.service';
import { Lineage } from './lineage.service';
import { VisibleAnswersRepository } from './visible-answers.repository';

/** Where documents came from and which answers they led to; every process that has this module keeps the copy of it, where there is one. */
@Module({
  imports: [PostgresModule, DocumentsModule],
  providers: [GraphChangesRepository, GraphFill, LedgerFactsRepository, Lineage, LineageFeed, VisibleAnswersRepository],
  exports: [Lineage],
})
export class LineageModule {}
