import { Injectable, Logger } from '@nestjs/common';
import { JobPlaces } from '@features/jobs';
import type { QueuePlace } from './model-gate';

/** A wait that is over sooner is not worth telling. */
const FIRST_MS = 250;
const AGAIN_MS = 5_000;

/** Lets a job that waits for a model say where it stands, again whenever that has changed after 5 s. */
@Injectable()
export class WaitingJobs {
  private readonly logger = new Logger(WaitingJobs.name);

  constructor(private readonly places: JobPlaces) {}

  /** Until the answered function is called. */
  follow(jobId: string, place: () => QueuePlace | undefined): () => void {
    let told: QueuePlace | undefined;
    let writing: Promise<void> = Promise.resolve();
    const write = (next: QueuePlace | null): void => {
      writing = writing
        .then(() => this.places.tell(jobId, next))
        .catch((error: unknown) => this.logger.debug(`The place of job ${jobId} was not written: ${String(error)}`));
    };
    const look = (): void => {
      const now = place();
      timer = setTimeout(look, AGAIN_MS).unref();
      if (now === undefined || (now.position === told?.position && now.etaSeconds === told.etaSeconds)) return;
      told = now;
      write(now);
    };
    let timer = setTimeout(look, FIRST_MS).unref();
    return () => {
      clearTimeout(timer);
      if (told !== undefined) write(null);
    };
  }
}
