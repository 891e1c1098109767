import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { Jobs, type SettledJob } from '@features/jobs';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { pullModel, type PullModel } from './models.jobs';
import { pullTarget, type PullTarget } from './pull-target';
import { PullsRepository, type PulledModel } from './pulls.repository';

/** What somebody asks for: a name, and the digest of its weights when it is known. */
export interface WantedModel {
  name: string;
  digest?: string;
}

export interface PullOrigin {
  principal: Principal;
  requestId: string | null;
}

/** Accepts pulls, for an instance admin. */
@Injectable()
export class ModelPulls {
  constructor(
    private readonly repository: PullsRepository,
    private readonly jobs: Jobs,
    private readonly config: AppConfig,
    private readonly audit: Audit,
  ) {}

  /** MODELS_DIR. */
  get directory(): string {
    return this.config.models.directory;
  }

  /** Accepts a pull; its licence counts as accepted by the caller. Errors: those of `pullTarget`, and `conflict` with the job when one is open. */
  async pull(
    { name, digest }: WantedModel,
    { principal, requestId }: PullOrigin,
    retryOf?: string,
  ): Promise<{ jobId: string; target: PullTarget }> {
    const target = pullTarget(name, this.config);
    const { model, runtime } = target;
    const owner = { workspaceId: principal.workspaceId, ownerId: principal.userId, apiKeyId: principal.keyId ?? null };
    const job = this.jobs.acceptance(
      pullModel,
      { model, runtime, name: target.name, digest },
      { ...owner, requestId, retryOf, accepted: { model } },
    );
    const open = await this.repository.accept(target, principal.userId, job);
    if (open !== undefined) throw new AppError('conflict', `The model ${model} is being pulled already.`, { jobId: open });
    this.jobs.wake();
    return { jobId: job.jobId, target };
  }

  /** Inside the transaction that ends the job. */
  async finished(connection: Queryable, { id, ownerId }: SettledJob<PullModel>, pulled: PulledModel): Promise<void> {
    await this.repository.finish(connection, id, pulled);
    const subject = { kind: 'model', id: pulled.model };
    await this.audit.add(connection, { workspaceId: null, actor: { userId: ownerId }, action: 'model.pulled', subject });
  }
}
