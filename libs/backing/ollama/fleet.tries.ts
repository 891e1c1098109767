import { AppError } from '@kernel/errors';
import type { ModelBreaker } from './model.breaker';
import { failing } from './ollama.error';
import { leastBusy, type Choice, type OllamaFleet, type Wanted } from './ollama.fleet';
import type { OllamaServer } from './ollama.server';

/**
 * One call and the servers that it tries, each once: the best, and after a failure the best of those that are left, with the same weights. While it is
 * under way it counts as a call of that server. Only what another server may do better goes on (`unavailable`, `timeout`).
 */
export class FleetTries {
  private readonly tried = new Set<OllamaServer>();
  private current?: Choice;
  private verdict?: { error?: unknown };

  constructor(
    private readonly fleet: OllamaFleet,
    private wanted: Wanted,
  ) {}

  /** Errors: those of `OllamaFleet.choices`. */
  async first(): Promise<Choice> {
    const choices = await this.fleet.choices(this.wanted, this.tried);
    // Chosen and counted at once: calls that come together must see one another.
    const best = leastBusy(working(choices));
    this.end();
    this.current = best;
    best.server.calls += 1;
    breakerOf(best).begin();
    this.tried.add(best.server);
    this.wanted = { ...this.wanted, weights: best.model.weights };
    return best;
  }

  /** Where it goes on; throws the failure when it cannot. */
  async after({ shelf }: Choice, failure: unknown): Promise<Choice> {
    this.failed(failure);
    const elsewhere = failure instanceof AppError && (failure.code === 'unavailable' || failure.code === 'timeout');
    if (!elsewhere) throw failure;
    // The server may be gone: what it has is asked again.
    shelf.forget();
    return this.first().catch(() => {
      throw failure;
    });
  }

  /** What the call has shown of the server's health; without a word it has shown nothing. */
  worked(): void {
    this.verdict = {};
  }

  failed(error: unknown): void {
    this.verdict = { error };
  }

  end(): void {
    if (this.current === undefined) return;
    this.current.server.calls -= 1;
    breakerOf(this.current).end(this.verdict === undefined ? new AppError('cancelled', 'The reader left.') : this.verdict.error);
    this.current = undefined;
    this.verdict = undefined;
  }
}

function breakerOf({ server, model }: Choice): ModelBreaker {
  return server.breaker(model.name);
}

/** Those that do not keep failing. Errors: `unavailable` when all do. */
function working(choices: readonly Choice[]): Choice[] {
  const healthy = choices.filter((choice) => !breakerOf(choice).isOpen);
  if (healthy.length > 0) return healthy;
  const seconds = choices.map((choice) => breakerOf(choice).retryAfterSeconds);
  throw failing(choices[0]?.model.name ?? '', Math.min(...seconds));
}
