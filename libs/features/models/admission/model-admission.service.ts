import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import type { UsageAccount } from '@features/usage';
import { AppConfig } from '@kernel/config';
import { Metrics, type Counter, type Histogram, type Reading } from '@kernel/metrics';
import type { ModelCard, ModelRuntime } from '@kernel/models';
import { ModelGate, type Claim, type Leave, type Urgency, type Waiter } from './model-gate';
import { WaitingJobs } from './waiting-jobs.service';

/** Calls that may wait for one model when nothing is set; embedding a question takes a moment only. */
const QUEUE: Record<ModelCard['kind'], number> = { chat: 32, embedding: 256 };
const URGENCIES: readonly Urgency[] = ['interactive', 'batch'];
const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320];

/** How a call stands to others: `admitted` is the part of an answer that has been let in already, and waits rather than being refused. */
export type CallPlace = Urgency | 'admitted';

export interface AdmittedCall {
  card: Pick<ModelCard, 'id' | 'kind'>;
  runtime: Pick<ModelRuntime, 'name' | 'parallel'>;
  account: UsageAccount;
  place: CallPlace;
  signal: AbortSignal;
}

interface OpenGate {
  gate: ModelGate;
  labels: { runtime: string; model: string };
}

/**
 * Admission control: each model of this process has one gate, through which every call goes, of requests and of jobs alike. Requests are refused while the
 * queue is full; jobs wait, for they are few (each kind's concurrency bounds them), hold their lease meanwhile, and would only come back to the same
 * queue. At a stop the requests that wait are refused; jobs are stopped by whoever runs them. Errors: those of `ModelGate.enter`.
 */
@Injectable()
export class ModelAdmission implements BeforeApplicationShutdown {
  private readonly gates = new Map<string, OpenGate>();
  private readonly refusals: Counter;
  private readonly waits: Histogram;
  private closed = false;

  constructor(
    private readonly config: AppConfig,
    private readonly jobs: WaitingJobs,
    metrics: Metrics,
  ) {
    const labels = ['runtime', 'model'];
    const reason = [...labels, 'reason'];
    this.refusals = metrics.counter({ name: 'model_queue_refusals_total', help: 'Calls that a model had no place for.', labels: reason });
    this.waits = metrics.histogram(
      { name: 'model_queue_wait_seconds', help: 'How long calls waited that were let in.', labels: [...labels, 'urgency'] },
      SECONDS,
    );
    metrics.gauge({ name: 'model_queue_depth', help: 'Calls that wait for a model.', labels: [...labels, 'urgency'] }, () =>
      this.readings(URGENCIES, (gate, urgency) => ({ labels: { urgency }, value: gate.waiting(urgency) })),
    );
    metrics.gauge(
      { name: 'model_slots', help: 'Calls that a model may work on at once, and those it does.', labels: [...labels, 'state'] },
      () => this.readings(['used', 'all'], (gate, state) => ({ labels: { state }, value: state === 'used' ? gate.inUse : gate.capacity })),
    );
  }

  /** Resolves when the model may begin, with what must be called when it is done. */
  async enter(call: AdmittedCall): Promise<Leave> {
    const { gate, labels } = this.gateOf(call);
    const asked = performance.now();
    let told = (): void => undefined;
    try {
      const leave = await gate.enter(claimOf(call), (waiter) => (told = this.tell(gate, waiter, call.account)));
      this.waits.observe({ ...labels, urgency: claimOf(call).urgency }, (performance.now() - asked) / 1_000);
      return leave;
    } finally {
      told();
    }
  }

  /** Throws when such a call would be refused now: before anything is read or counted for it. */
  assertRoom(call: AdmittedCall): void {
    this.gateOf(call).gate.assertRoom(claimOf(call));
  }

  /** How many calls wait for a model. */
  waiting(runtime: string, model: string): number {
    const gate = this.gates.get(keyOf(runtime, model))?.gate;
    return gate === undefined ? 0 : gate.waiting('interactive') + gate.waiting('batch');
  }

  beforeApplicationShutdown(): void {
    this.closed = true;
    for (const { gate } of this.gates.values()) gate.close();
  }

  private tell(gate: ModelGate, waiter: Waiter, { jobId }: UsageAccount): () => void {
    return jobId === null ? () => undefined : this.jobs.follow(jobId, () => gate.place(waiter));
  }

  private gateOf({ card, runtime }: AdmittedCall): OpenGate {
    const key = keyOf(runtime.name, card.id);
    const known = this.gates.get(key);
    if (known !== undefined) return known;
    const { concurrency, queue, queueSeconds } = this.config.models;
    const labels = { runtime: runtime.name, model: card.id };
    const limits = {
      concurrency: () => concurrency.of[card.id] ?? concurrency.all ?? runtime.parallel(card.id),
      queue: queue.of[card.id] ?? queue.all ?? QUEUE[card.kind],
      seconds: queueSeconds,
    };
    const gate = new ModelGate(card.id, limits, (reason) => this.refusals.add({ ...labels, reason }));
    if (this.closed) gate.close();
    this.gates.set(key, { gate, labels });
    return { gate, labels };
  }

  private readings<T>(kinds: readonly T[], read: (gate: ModelGate, kind: T) => Required<Reading>): Reading[] {
    return [...this.gates.values()].flatMap(({ gate, labels }) =>
      kinds.map((kind) => {
        const { value, labels: more } = read(gate, kind);
        return { value, labels: { ...labels, ...more } };
      }),
    );
  }
}

function claimOf({ account, place, signal }: AdmittedCall): Claim {
  const ofJob = account.jobId !== null;
  const waits = ofJob || place === 'admitted';
  return {
    workspaceId: account.workspaceId,
    urgency: place === 'batch' ? 'batch' : 'interactive',
    refusable: !waits,
    drained: !waits,
    signal,
  };
}

function keyOf(runtime: string, model: string): string {
  return `${runtime} ${model}`;
}
