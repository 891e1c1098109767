import { Injectable } from '@nestjs/common';
import { Metrics, type Reading } from '@kernel/metrics';
import type { ModelActivity } from '@kernel/models';
import { ModelAdmission } from './admission/model-admission.service';
import { ModelRuntimes } from './model-runtimes';

interface Look {
  runtime: string;
  model: string;
  loaded: boolean;
  activity: ModelActivity;
}

/** Milliseconds for which one look at the runtimes serves every gauge and everybody who asks. */
const FRESH = 5_000;

/** What the models of this process do at the moment, as figures: calls at work, calls that wait, weights in memory. */
@Injectable()
export class ModelGauges {
  private last?: { at: number; looks: Promise<Look[]> };

  constructor(
    metrics: Metrics,
    private readonly runtimes: ModelRuntimes,
    private readonly admission: ModelAdmission,
  ) {
    const gauge = (name: string, help: string, value: (look: Look) => number): void =>
      metrics.gauge({ name, help, labels: ['runtime', 'model'] }, async () =>
        (await this.looks()).map((look): Reading => ({ labels: { runtime: look.runtime, model: look.model }, value: value(look) })),
      );
    gauge('model_calls_running', 'Calls that a model works on.', ({ activity }) => activity.running);
    gauge(
      'model_calls_queued',
      'Calls that wait for a model.',
      ({ runtime, model, activity }) => activity.queued + this.admission.waiting(runtime, model),
    );
    gauge('model_loaded', '1 while the weights of a model are in memory.', ({ loaded }) => Number(loaded));
  }

  private looks(): Promise<Look[]> {
    const now = performance.now();
    if (this.last === undefined || now - this.last.at > FRESH) this.last = { at: now, looks: this.look() };
    return this.last.looks;
  }

  /** Models that are not on this machine do nothing. */
  private async look(): Promise<Look[]> {
    const found = await Promise.all(
      this.runtimes.all.map(async (runtime) => {
        const cards = await runtime.models();
        return cards
          .filter(({ state }) => state === 'ready')
          .map(({ id, loaded }) => ({ runtime: runtime.name, model: id, loaded, activity: runtime.activity(id) }));
      }),
    );
    return found.flat();
  }
}
