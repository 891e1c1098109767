import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Neo4jClient } from './neo4j.client';
import { Neo4jGraph } from './neo4j.graph';
import { Neo4jHealth } from './neo4j.health';

/** The Neo4j server of NEO4J_URL; without that setting nothing is ever called. */
@Module({
  imports: [TerminusModule],
  providers: [Neo4jClient, Neo4jGraph, Neo4jHealth],
  exports: [Neo4jClient, Neo4jGraph, Neo4jHealth],
})
export class Neo4jModule {}
