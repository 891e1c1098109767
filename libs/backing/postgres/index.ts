export { default as sql, Sql, bulk, empty, join, raw } from 'sql-template-tag';
export { PostgresBlobs } from './blobs.store';
export { pageConditions, pageOf, pageOrder } from './page.clause';
export { PostgresClient, type Queryable } from './postgres.client';
export { isUniqueViolation, sqlState } from './postgres.error';
export { PostgresHealth } from './postgres.health';
export { PostgresModule } from './postgres.module';
export { openSource } from './postgres.source';
export { PgvectorStore } from './postgres.store';
