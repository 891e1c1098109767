import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { v7 } from 'uuid';
import { AppError } from '@kernel/errors';
import { Metrics, type Counter } from '@kernel/metrics';
import { BudgetsRepository, type BudgetState, type Reservation } from './budgets.repository';

/**
 * Budgets of API keys in tokens per day (UTC): reserved before a model call by what the call may use at most, settled by what it used. They are
 * never over-spent, whoever calls at once and from however many processes. A reservation lives while its process renews it.
 * Errors: `budget_exhausted`, which does not pass before midnight.
 */
@Injectable()
export class Budgets implements OnApplicationShutdown {
  /** How long a reservation outlives its process. */
  protected readonly leaseMs: number = 60_000;
  private readonly logger = new Logger(Budgets.name);
  private readonly refusals: Counter;
  private readonly held = new Map<string, Reservation>();
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly repository: BudgetsRepository,
    metrics: Metrics,
  ) {
    this.refusals = metrics.counter({ name: 'budget_refusals_total', help: 'Calls refused because the tokens of the day are used up.' });
  }

  /** What is left of these keys' tokens today; keys without a budget are left out. */
  async states(apiKeyIds: string[]): Promise<Map<string, BudgetState>> {
    if (apiKeyIds.length === 0) return new Map();
    await this.repository.releaseExpired(apiKeyIds);
    return this.repository.states(apiKeyIds);
  }

  /** Throws `budget_exhausted` when the key has nothing left: for work that is accepted now and done later. */
  async demand(apiKeyId: string | null): Promise<void> {
    if (apiKeyId === null) return;
    const state = (await this.repository.states([apiKeyId])).get(apiKeyId);
    if (state === undefined || state.used + state.reserved < state.limit) return;
    const fresh = (await this.states([apiKeyId])).get(apiKeyId);
    if (fresh !== undefined && fresh.used + fresh.reserved >= fresh.limit) throw this.exhausted(fresh);
  }

  /** Holds the most that a call may use; undefined when the key has no budget, and then `most` is not asked. */
  async reserve(apiKeyId: string | null, most: () => Promise<number>): Promise<Reservation | undefined> {
    if (apiKeyId === null) return undefined;
    const state = (await this.repository.states([apiKeyId])).get(apiKeyId);
    if (state === undefined) return undefined;
    const tokens = Math.ceil(await most());
    const reservation = (await this.take(apiKeyId, tokens)) ?? (await this.takeAfterRelease(apiKeyId, tokens));
    if (reservation === undefined) throw this.exhausted((await this.repository.states([apiKeyId])).get(apiKeyId) ?? state, tokens);
    this.held.set(reservation.id, reservation);
    this.timer ??= setInterval(() => void this.renew(), this.leaseMs / 3).unref();
    return reservation;
  }

  /** Ends a reservation: `used` tokens are paid, the rest is free again. Never throws; what cannot be written now runs out with the lease. */
  async settle(reservation: Reservation | undefined, used: number): Promise<void> {
    if (reservation === undefined) return;
    this.held.delete(reservation.id);
    if (this.held.size === 0) this.rest();
    try {
      await this.repository.settle(reservation, used);
    } catch (error) {
      this.logger.error(`A budget could not be settled (key ${reservation.apiKeyId}, ${used} tokens): ${(error as Error).message}`);
    }
  }

  onApplicationShutdown(): void {
    this.rest();
  }

  private take(apiKeyId: string, tokens: number): Promise<Reservation | undefined> {
    return this.repository.reserve(v7(), apiKeyId, tokens, this.leaseMs);
  }

  private async takeAfterRelease(apiKeyId: string, tokens: number): Promise<Reservation | undefined> {
    return (await this.repository.releaseExpired([apiKeyId])) ? this.take(apiKeyId, tokens) : undefined;
  }

  private async renew(): Promise<void> {
    try {
      await this.repository.extend([...this.held.keys()], this.leaseMs);
    } catch (error) {
      this.logger.warn(`Token reservations could not be renewed: ${(error as Error).message}`);
    }
  }

  private rest(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private exhausted({ limit, used, reserved }: BudgetState, wanted?: number): AppError {
    this.refusals.add();
    const left = Math.max(0, limit - used - reserved);
    const need = wanted === undefined ? '' : `, and this call may need ${wanted}`;
    return new AppError(
      'budget_exhausted',
      `The API key may use ${limit} tokens a day: ${left} are left${need}. The day begins at 00:00 UTC.`,
    );
  }
}
