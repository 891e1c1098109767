import { AppError } from '@kernel/errors';
import type { AgentLimits } from '../agent.entity';
import type { AgentStep } from '../run.entity';

const WORDS: Record<keyof AgentLimits, string> = { steps: 'steps', tool_calls: 'tool calls', tokens: 'tokens', seconds: 'seconds' };

/**
 * What a run may still use, from the steps that are recorded: those of earlier attempts count. A step is a decision: a call of the model, or a call
 * of a tool that the platform planned. Errors: `budget_exhausted` naming the limit.
 */
export class RunBudget {
  private readonly started = performance.now();
  private readonly secondsBefore: number;

  constructor(
    private readonly limits: AgentLimits,
    private readonly steps: readonly AgentStep[],
  ) {
    this.secondsBefore = steps.reduce((sum, { seconds }) => sum + seconds, 0);
  }

  get tokens(): number {
    return this.steps.reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0);
  }

  /** Of work, by the monotonic clock. */
  get secondsLeft(): number {
    return Math.max(0, this.limits.seconds - this.secondsBefore - (performance.now() - this.started) / 1000);
  }

  assertDecision(): void {
    const decisions = this.steps.filter(({ kind, callId }) => kind === 'model' || callId === null).length;
    if (decisions >= this.limits.steps) throw exhausted('steps', this.limits);
  }

  assertToolCall(): void {
    if (this.steps.filter(({ kind }) => kind === 'tool').length >= this.limits.tool_calls) throw exhausted('tool_calls', this.limits);
  }

  /** Tokens that an answer may take after a prompt of `prompt` tokens: `wanted` or what is left. */
  answerTokens(prompt: number, wanted: number): number {
    const left = this.limits.tokens - this.tokens - prompt;
    if (left <= 0) throw exhausted('tokens', this.limits);
    return Math.min(wanted, left);
  }

  assertTokens(): void {
    if (this.tokens > this.limits.tokens) throw exhausted('tokens', this.limits);
  }

  outOf(limit: keyof AgentLimits): AppError {
    return exhausted(limit, this.limits);
  }
}

function exhausted(limit: keyof AgentLimits, limits: AgentLimits): AppError {
  return new AppError('budget_exhausted', `The run has used up its ${limits[limit]} ${WORDS[limit]}.`, { retryable: false });
}
