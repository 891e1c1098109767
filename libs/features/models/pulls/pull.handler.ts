import { Injectable } from '@nestjs/common';
import { CATALOGUE } from '@backing/llama-cpp';
import { OllamaLibrary, OllamaRuntime, type PullProgress } from '@backing/ollama';
import type { Queryable } from '@backing/postgres';
import { JobHandler, type JobContext, type JobOutcome, type SettledJob, type StoredJob } from '@features/jobs';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { Models } from '../models.service';
import { PullingModels } from '../pulling-models';
import { BuiltInDownload, removeBuiltIn } from './built-in-download';
import { ModelPulls } from './model-pulls.service';
import { pullModel, type PullModel } from './models.jobs';
import type { PulledModel } from './pulls.repository';

/** Milliseconds between two events of progress. */
const EVERY = 1_000;

/** Brings a model to its runtime with progress in bytes. A second attempt goes on where the first broke off: both ways keep the parts. */
@Injectable()
export class PullHandler extends JobHandler<PullModel, PulledModel> {
  readonly contract = pullModel;

  constructor(
    private readonly library: OllamaLibrary,
    private readonly ollama: OllamaRuntime,
    private readonly models: Models,
    private readonly pulls: ModelPulls,
    private readonly pulling: PullingModels,
  ) {
    super();
  }

  async run(context: JobContext<PullModel>): Promise<PulledModel> {
    const { model, runtime, name, digest } = context.payload;
    this.pulling.add(model);
    try {
      const report = throttled((progress) => context.progress({ ...progress, unit: 'bytes' }));
      if (runtime === 'ollama') await this.library.pull(name, report, context.signal);
      else await new BuiltInDownload(this.pulls.directory).fetch(model, report, context.signal);
    } finally {
      this.pulling.delete(model);
      this.ollama.refresh();
    }
    const card = await this.models.get(model).catch(() => undefined);
    if (digest !== undefined && card?.digest !== digest) await this.refuse(context.payload);
    return { model, digest: card?.digest ?? null, bytes: card?.sizeBytes ?? null };
  }

  async settle(connection: Queryable, job: SettledJob<PullModel>, outcome: JobOutcome<PulledModel>): Promise<object> {
    if (outcome.status !== 'succeeded') return {};
    await this.pulls.finished(connection, job, outcome.result);
    return outcome.result;
  }

  async retry(job: StoredJob, principal: Principal, requestId: string | null): Promise<{ jobId: string }> {
    if (!principal.instanceAdmin || !principal.scopes.has('models:write')) {
      throw new AppError('forbidden', 'Pulling a model needs an instance admin and the scope models:write.');
    }
    const { model, runtime, name, digest } = pullModel.payload.parse(job.payload);
    const { jobId } = await this.pulls.pull({ name: runtime === 'ollama' ? name : model, digest }, { principal, requestId }, job.id);
    return { jobId };
  }

  /** A name is its publisher's to move: what came under it and is not what was wanted goes again. */
  private async refuse({ model, runtime, name }: PullModel): Promise<never> {
    const [entry] = CATALOGUE.filter(({ slug }) => slug === model);
    if (runtime === 'ollama') await this.library.remove(name);
    else if (entry !== undefined && entry.sha256 === undefined) await removeBuiltIn(this.pulls.directory, entry, false);
    this.ollama.refresh();
    throw AppError.field('unprocessable', 'digest', `what ${name} names now has another digest; it was not kept.`);
  }
}

/** The first, one a second, and whenever all bytes that are known of have come. */
function throttled(emit: (progress: PullProgress) => Promise<void>): (progress: PullProgress) => Promise<void> {
  let at = -Infinity;
  let completed = 0;
  return async (progress) => {
    const complete = progress.total > 0 && progress.done === progress.total;
    const now = performance.now();
    if (now - at < EVERY && !(complete && progress.total !== completed)) return;
    at = now;
    if (complete) completed = progress.total;
    await emit(progress);
  };
}
