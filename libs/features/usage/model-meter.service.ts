import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { Metrics, type Counter, type Histogram } from '@kernel/metrics';
import type { UsageEntry } from './usage.repository';

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640];
const TOKENS = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144];

export interface MeasuredCall {
  /** The first thing that the model gave; later ones change nothing. */
  first(): void;
  end(used: { inputTokens: number; outputTokens: number }, error?: unknown): void;
}

/** Model calls as figures, named after the OpenTelemetry semantic conventions for generative AI. */
@Injectable()
export class ModelMeter {
  private readonly tokens: Histogram;
  private readonly durations: Histogram;
  private readonly firstTokens: Histogram;
  private readonly failures: Counter;
  private readonly coldLoads: Counter;
  /** Models whose first call since they were not loaded has not ended. */
  private readonly loading = new Set<string>();

  constructor(metrics: Metrics) {
    const labels = ['operation', 'model'];
    this.tokens = metrics.histogram(
      { name: 'gen_ai_client_token_usage', help: 'Tokens that one call read (input) or made (output).', labels: [...labels, 'type'] },
      TOKENS,
    );
    this.durations = metrics.histogram(
      {
        name: 'gen_ai_client_operation_duration_seconds',
        help: 'One model call from its begin to its end, the wait for its turn included.',
        labels: [...labels, 'outcome'],
      },
      SECONDS,
    );
    this.firstTokens = metrics.histogram(
      {
        name: 'gen_ai_server_time_to_first_token_seconds',
        help: 'From the begin of a call to the first token of its answer.',
        labels: ['model'],
      },
      SECONDS,
    );
    this.failures = metrics.counter({
      name: 'gen_ai_client_failures_total',
      help: 'Model calls that ended with an error, by its code.',
      labels: [...labels, 'code'],
    });
    this.coldLoads = metrics.counter({
      name: 'model_cold_loads_total',
      help: 'Times that a call had to wait for the weights of its model.',
      labels: ['model'],
    });
  }

  begin({ model, operation }: Pick<UsageEntry, 'model' | 'operation'>, loaded: boolean): MeasuredCall {
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1_000;
    const loads = !loaded && !this.loading.has(model);
    if (loads) this.loading.add(model);
    if (loads) this.coldLoads.add({ model });
    let spoken = false;
    return {
      first: () => {
        if (spoken) return;
        spoken = true;
        this.firstTokens.observe({ model }, seconds());
      },
      end: ({ inputTokens, outputTokens }, error) => {
        if (loads) this.loading.delete(model);
        const code = error === undefined ? undefined : error instanceof AppError ? error.code : 'internal';
        this.durations.observe({ operation, model, outcome: code ?? 'ok' }, seconds());
        if (code !== undefined) this.failures.add({ operation, model, code });
        if (inputTokens > 0) this.tokens.observe({ operation, model, type: 'input' }, inputTokens);
        if (outputTokens > 0) this.tokens.observe({ operation, model, type: 'output' }, outputTokens);
      },
    };
  }
}
