import { Injectable } from '@nestjs/common';
import type { AgentStep } from '../run.entity';
import { ToolGate } from '../tools/tool-gate.service';
import type { RunExecution } from './run-execution';

export interface PlannedCall {
  /** Null: the platform planned it. */
  id: string | null;
  name: string;
  arguments: unknown;
}

/** Does one call of a tool as a step of a run: told, checked, done, recorded, told again. */
@Injectable()
export class ToolSteps {
  constructor(private readonly gate: ToolGate) {}

  async call(execution: RunExecution, call: PlannedCall): Promise<AgentStep> {
    const { context, journal, budget, run, account, signal } = execution;
    budget.assertToolCall();
    const startedAt = new Date();
    await context.emit('tool_call', { step: journal.next, tool: call.name, arguments: shown(call.arguments) });
    const outcome = await this.gate.call({ agent: run.agent, name: call.name, arguments: call.arguments, account, signal });
    const step = await journal.record({ kind: 'tool', callId: call.id, tool: call.name, startedAt, ...outcome });
    await journal.announce(step);
    await execution.progress(`Used ${call.name}`);
    return step;
  }
}

/** Arguments that are no JSON are shown as the text that they are. */
function shown(given: unknown): unknown {
  if (typeof given !== 'string') return given;
  try {
    return JSON.parse(given) as unknown;
  } catch {
    return given;
  }
}
