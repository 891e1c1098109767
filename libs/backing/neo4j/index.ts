export { Neo4jClient } from './neo4j.client';
export { Neo4jGraph } from './neo4j.graph';
export { Neo4jHealth } from './neo4j.health';
export { Neo4jModule } from './neo4j.module';
