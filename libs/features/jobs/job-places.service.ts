import { Injectable } from '@nestjs/common';
import { PostgresClient, sql } from '@backing/postgres';
import { JobSignals } from './job-signals.service';
import type { QueuePosition } from './jobs.repository';

/**
 * Where running jobs stand in a queue of their own, of a model that is busy. Of the attempt that wrote it: a place counts only while its epoch is the
 * job's. Readers tell it in the job's log (`queued`).
 */
@Injectable()
export class JobPlaces {
  constructor(
    private readonly client: PostgresClient,
    private readonly signals: JobSignals,
  ) {}

  /** Null: it waits no more. */
  async tell(jobId: string, place: QueuePosition | null): Promise<void> {
    const [position, eta] = [place?.position ?? null, place?.etaSeconds ?? null];
    await this.client.query(
      sql`UPDATE jobs SET queue_place = CASE WHEN ${position}::int IS NOT NULL
            THEN jsonb_build_object('epoch', epoch, 'position', ${position}::int, 'eta_seconds', ${eta}::int) END
          WHERE id = ${jobId}::uuid AND status = 'running'`,
    );
    if (place !== null) this.signals.notify(jobId);
  }
}
