import { Injectable } from '@nestjs/common';
import { Ajv, type ValidateFunction } from 'ajv';
import type { ToolDefinition } from '@kernel/models';
import type { AgentTool } from './agent-tool';
import { CalculateTool } from './calculate.tool';
import { CurrentTimeTool } from './current-time.tool';
import { ReadDocumentTool } from './read-document.tool';
import { SearchCollectionTool } from './search-collection.tool';

/** A tool with the check of its arguments. */
export interface CheckedTool {
  tool: AgentTool<unknown>;
  /** What is wrong with these arguments; undefined: nothing. */
  fault(given: unknown): string | undefined;
}

/** All tools that agents can be granted. */
@Injectable()
export class ToolBox {
  private readonly tools: ReadonlyMap<string, CheckedTool>;

  constructor(search: SearchCollectionTool, read: ReadDocumentTool, calculate: CalculateTool, time: CurrentTimeTool) {
    const ajv = new Ajv({ strict: true, allErrors: false });
    this.tools = new Map(
      [search, read, calculate, time].map((tool) => [
        tool.definition.name,
        checked(tool as AgentTool<unknown>, ajv.compile(tool.definition.parameters)),
      ]),
    );
  }

  has(name: string): boolean {
    return this.tools.has(name);
  }

  get(name: string): CheckedTool | undefined {
    return this.tools.get(name);
  }

  definitions(names?: string[]): ToolDefinition[] {
    return [...this.tools.values()].map(({ tool }) => tool.definition).filter(({ name }) => names === undefined || names.includes(name));
  }
}

function checked(tool: AgentTool<unknown>, valid: ValidateFunction): CheckedTool {
  return {
    tool,
    fault: (given) => {
      if (valid(given)) return undefined;
      const [error] = valid.errors ?? [];
      return `${error?.instancePath.slice(1).replaceAll('/', '.') || 'arguments'} ${error?.message ?? 'is not valid'}`;
    },
  };
}
