import { Injectable } from '@nestjs/common';
import type { Strategy } from '../agent.entity';
import { ResearchLoop } from './research-loop.service';
import type { FinishedRun, RunExecution } from './run-execution';
import { ToolLoop } from './tool-loop.service';

/** The loops by strategy. */
@Injectable()
export class LoopChoice {
  constructor(
    private readonly tools: ToolLoop,
    private readonly research: ResearchLoop,
  ) {}

  of(strategy: Strategy): { work(execution: RunExecution): Promise<FinishedRun> } {
    return strategy === 'research' ? this.research : this.tools;
  }
}
