import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import { AppError } from '@kernel/errors';
import type { ChatRequest, ChatTurn, ToolCall, ToolDefinition } from '@kernel/models';
import { ToolBox } from '../tools/tool-box.service';
import { satisfies } from './answer-form';
import type { FinishedRun, RunExecution } from './run-execution';
import { runTurns } from './run-prompt';
import { ToolSteps } from './tool-steps.service';

const TOKENS = 1_024;
/** The answer takes no more than this share of the context. */
const CONTEXT_SHARE = 4;
/** Tries for an answer of the demanded form. */
const TRIES = 2;

interface Said {
  text: string;
  calls: ToolCall[];
  inputTokens: number;
  outputTokens: number;
  truncated: boolean;
}

type Ask = Omit<ChatRequest, 'model' | 'signal' | 'temperature'>;

/**
 * The loop of an agent whose model chooses the tools: ask the model, do the calls that it asks for, again, until it answers.
 * Errors: `budget_exhausted`, `unprocessable` (no answer, or none of the demanded form), `context_length_exceeded`, those of the models.
 */
@Injectable()
export class ToolLoop {
  constructor(
    private readonly models: Models,
    private readonly toolBox: ToolBox,
    private readonly toolSteps: ToolSteps,
  ) {}

  async work(execution: RunExecution): Promise<FinishedRun> {
    const { journal } = execution;
    for (;;) {
      const call = journal.pending;
      if (call !== undefined) {
        await this.toolSteps.call(execution, call);
        continue;
      }
      const output = this.answer(execution);
      if (output !== undefined) {
        await execution.finish(output);
        return { output, citations: [] };
      }
      await this.ask(execution);
    }
  }

  /** What the model has answered, when the last step is an answer. */
  private answer({ journal, run }: RunExecution): string | undefined {
    const { last } = journal;
    if (last?.kind !== 'model' || (last.calls?.length ?? 0) > 0) return undefined;
    const text = last.text ?? '';
    const { outputSchema } = run.agent;
    if (outputSchema === null) {
      if (text === '') throw new AppError('unprocessable', 'The model ended without an answer.', { retryable: false });
      return text;
    }
    if (satisfies(text, outputSchema)) return text;
    const tries = journal.steps.filter(({ kind, calls }) => kind === 'model' && (calls?.length ?? 0) === 0).length;
    if (tries >= TRIES) throw new AppError('unprocessable', 'The answer does not satisfy output_schema.', { retryable: false });
    return undefined;
  }

  private async ask(execution: RunExecution): Promise<void> {
    const { budget, journal, card } = execution;
    budget.assertDecision();
    const startedAt = new Date();
    const asked = await this.fitted(execution);
    const said = await this.say(execution, asked);
    const { text, calls, inputTokens, outputTokens } = said;
    await journal.record({ kind: 'model', model: card.id, text, calls, inputTokens, outputTokens, startedAt });
    budget.assertTokens();
    if (said.truncated && asked.maxTokens < wanted(card.contextLength)) throw budget.outOf('tokens');
    await execution.progress(calls.length > 0 ? `Chose ${calls.map(({ name }) => name).join(', ')}` : 'Answered');
  }

  /** The prompt with as many results as fit, and the tokens that the answer may take. */
  private async fitted(execution: RunExecution): Promise<Ask> {
    const { run, card, journal, budget, signal } = execution;
    const tools = this.tools(execution);
    const most = wanted(card.contextLength);
    const results = journal.steps.filter(({ kind }) => kind === 'tool').length;
    for (let leftOut = 0; ; leftOut += 1) {
      const turns = runTurns(run, card, journal.steps, leftOut);
      const prompt = await this.promptTokens(card.id, turns, tools, signal);
      if (prompt + most <= card.contextLength || leftOut >= results) {
        return {
          turns,
          maxTokens: budget.answerTokens(prompt, most),
          ...(tools.length > 0 ? { tools } : form(run.agent.outputSchema, card.capabilities)),
        };
      }
    }
  }

  /** What calls may be made; none once the model has answered in a wrong form. */
  private tools({ run, journal }: RunExecution): ToolDefinition[] {
    const again = journal.last?.kind === 'model' && (journal.last.calls?.length ?? 0) === 0;
    return again ? [] : this.toolBox.definitions(run.agent.tools);
  }

  private promptTokens(model: string, turns: ChatTurn[], tools: ToolDefinition[], signal: AbortSignal): Promise<number> {
    return this.models.countPromptTokens(model, turns, signal, tools);
  }

  /** Text goes out as it comes when it can only be the answer, else once that is certain. */
  private async say(execution: RunExecution, ask: Ask): Promise<Said> {
    const { card, run, account, signal } = execution;
    const said: Said = { text: '', calls: [], inputTokens: 0, outputTokens: 0, truncated: false };
    const sure = run.agent.outputSchema === null && (ask.tools === undefined || !card.capabilities.includes('tools'));
    for await (const chunk of this.models.chat({ ...ask, model: card.id, temperature: 0, signal }, account)) {
      if (chunk.type === 'text') {
        said.text += chunk.text;
        if (sure) await execution.delta(chunk.text);
      } else if (chunk.type === 'tool_call') said.calls.push(chunk.call);
      else if (chunk.type === 'end') {
        const { inputTokens, outputTokens } = chunk;
        Object.assign(said, { inputTokens, outputTokens, truncated: chunk.finishReason === 'length' });
      }
    }
    return said;
  }
}

function wanted(contextLength: number): number {
  return Math.min(TOKENS, Math.floor(contextLength / CONTEXT_SHARE));
}

function form(schema: Record<string, unknown> | null, capabilities: string[]): Pick<ChatRequest, 'format'> {
  return schema === null || !capabilities.includes('json_schema') ? {} : { format: { type: 'json_schema', schema } };
}
