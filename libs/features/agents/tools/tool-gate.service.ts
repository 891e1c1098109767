import { Injectable, Logger } from '@nestjs/common';
import { Standing } from '@features/standing';
import { Collections, type Collection } from '@features/vectors';
import type { UsageAccount } from '@features/models';
import { beforeAbort } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import type { AgentSnapshot } from '../agent.entity';
import type { ToolFailure } from '../run.entity';
import { ToolBox } from './tool-box.service';

export interface ToolRequest {
  agent: AgentSnapshot;
  name: string;
  /** JSON text as the model wrote it, or what the platform planned. */
  arguments: unknown;
  account: UsageAccount;
  signal: AbortSignal;
}

/** What a call came to; a failure is for the model to see. */
export type ToolOutcome = { arguments: unknown; result: unknown } | { arguments: unknown; error: ToolFailure };

/** Characters of a result's JSON; a larger one is a failure that says so. */
const MOST_RESULT = 24_000;

/**
 * Every call of a tool goes through here: its maker may still run agents, the tool is granted, the arguments satisfy its schema, and only the
 * agent's collections in its workspace can be reached. Errors: `forbidden` (the run must end), and the signal's reason, at once, also inside a tool.
 */
@Injectable()
export class ToolGate {
  private readonly logger = new Logger(ToolGate.name);

  constructor(
    private readonly standing: Standing,
    private readonly collections: Collections,
    private readonly toolBox: ToolBox,
  ) {}

  async call(request: ToolRequest): Promise<ToolOutcome> {
    const { agent, name, account, signal } = request;
    signal.throwIfAborted();
    await this.standing.assertMay(account, 'agents:run');
    const given = parsed(request.arguments);
    const checked = agent.tools.includes(name) ? this.toolBox.get(name) : undefined;
    if (checked === undefined)
      return refused(given, 'forbidden', `There is no tool ${name} here; there are: ${agent.tools.join(', ') || 'none'}.`);
    const fault = given === undefined ? 'the arguments are no JSON object' : checked.fault(given);
    if (fault !== undefined) return refused(given ?? request.arguments, 'invalid', `${fault}.`);
    try {
      const collections = await this.reach(account.workspaceId, agent.collections);
      signal.throwIfAborted();
      const work = checked.tool.run(given, { workspaceId: account.workspaceId, collections, account, signal });
      // Does not wait for a tool that does not listen to its signal.
      const result = await beforeAbort(work, signal);
      if (JSON.stringify(result ?? null).length > MOST_RESULT) return refused(given, 'too_large', 'The result is too large; ask for less.');
      return { arguments: given, result: result ?? null };
    } catch (error) {
      signal.throwIfAborted();
      return refused(given, ...this.told(name, error));
    }
  }

  /** A collection that is gone by now is not there to be reached. */
  private async reach(workspaceId: string, names: string[]): Promise<Collection[]> {
    const found: Collection[] = [];
    for (const name of names) found.push(...(await this.collections.resolve(workspaceId, [name]).catch(ignoreMissing)));
    return found;
  }

  private told(name: string, error: unknown): [string, string] {
    if (error instanceof AppError) return [error.code, error.message];
    this.logger.error(`The tool ${name} failed.`, error instanceof Error ? error.stack : String(error));
    return ['internal', 'The tool failed.'];
  }
}

function refused(given: unknown, code: string, message: string): ToolOutcome {
  return { arguments: given, error: { code, message } };
}

function ignoreMissing(error: unknown): Collection[] {
  if (error instanceof AppError && error.code === 'not_found') return [];
  throw error;
}

/** Undefined: no JSON. Nothing at all counts as no arguments. */
function parsed(given: unknown): unknown {
  if (typeof given !== 'string') return given;
  if (given.trim() === '') return {};
  try {
    return JSON.parse(given) as unknown;
  } catch {
    return undefined;
  }
}
