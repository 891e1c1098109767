import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The messages that follow a message: siblings are looked up by it, and deleting a conversation asks for them once for each message. */
export class Chat1764500000003 implements MigrationInterface {
  readonly name = 'Chat1764500000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX IF NOT EXISTS chat_messages_siblings ON chat_messages (parent_id, id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX IF EXISTS chat_messages_siblings');
  }
}
