import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CHAT } from './first-schema/chat';
import { IDENTITY } from './first-schema/identity';
import { JOBS } from './first-schema/jobs';
import { LEDGER } from './first-schema/ledger';

/** The first schema. PostgreSQL 16 with the extension `vector`; the embedded engine is newer, so nothing newer than 16 may stand here. */
export class FirstSchema1764000000000 implements MigrationInterface {
  readonly name = 'FirstSchema1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE EXTENSION IF NOT EXISTS vector');
    for (const part of [IDENTITY, LEDGER, JOBS, CHAT]) await runner.query(part);
  }

  async down(): Promise<void> {
    // Going back would drop every document and account: restore the copy that was made before the upgrade instead.
    throw new Error('The first schema cannot be undone.');
  }
}
