import { Injectable } from '@nestjs/common';
import { JobLeaseRepository, type Fence } from './job-lease.repository';
import { JobTiming } from './job-timing.entity';
import { LeaseLost } from './lease-lost';

/**
 * Keeps leases alive while attempts run. An attempt whose lease is gone, or could not be proven for a whole lease (by the monotonic clock),
 * is aborted: by then another worker may have it.
 */
@Injectable()
export class JobHeartbeat {
  constructor(
    private readonly leases: JobLeaseRepository,
    private readonly timing: JobTiming,
  ) {}

  /** Beats until the answered function is called. */
  start(fence: Fence, controller: AbortController): () => void {
    let provenAt = performance.now();
    let asking = false;
    const beat = async (): Promise<void> => {
      if (performance.now() - provenAt >= this.timing.leaseMs) controller.abort(new LeaseLost());
      if (asking) return;
      asking = true;
      const askedAt = performance.now();
      try {
        if (await this.leases.extend(fence)) provenAt = askedAt;
        else controller.abort(new LeaseLost());
      } finally {
        asking = false;
      }
    };
    // A database that does not answer is no loss yet: the time since the last proof decides.
    const timer = setInterval(() => void beat().catch(() => undefined), this.timing.heartbeatMs);
    return () => clearInterval(timer);
  }
}
