import { Injectable } from '@nestjs/common';
import { AgentTool } from './agent-tool';
import { calculate } from './arithmetic';

/** Exact arithmetic, which models do badly themselves. */
@Injectable()
export class CalculateTool extends AgentTool<{ expression: string }> {
  readonly definition = {
    name: 'calculate',
    description:
      'Calculates an arithmetic expression: + - * / % ^, parentheses, pi, e, sqrt, abs, round, floor, ceil, min, max, ln, log10, exp, sin, cos, tan.',
    parameters: {
      type: 'object',
      properties: { expression: { type: 'string', minLength: 1, maxLength: 500, description: 'For example (17.5 + 3) * 12' } },
      required: ['expression'],
      additionalProperties: false,
    },
  };

  async run({ expression }: { expression: string }): Promise<{ value: number }> {
    return { value: calculate(expression) };
  }
}
