import { Module } from '@nestjs/common';
import { PostgresModule } from '@backing/postgres';
import { AuditModule } from '@features/audit';
import { ChatModule } from '@features/chat';
import { DocumentsModule } from '@features/documents';
import { DeclaredJobs, JobsModule } from '@features/jobs';
import { ModelsModule } from '@features/models';
import { StandingModule } from '@features/standing';
import { VectorsModule } from '@features/vectors';
import { AgentRemoval } from './agent-removal.service';
import { AgentRuns } from './agent-runs.service';
import { agentsRun } from './agents.jobs';
import { AgentsRepository } from './agents.repository';
import { Agents } from './agents.service';
import { LoopChoice } from './loop/loop-choice.service';
import { ResearchLoop } from './loop/research-loop.service';
import { ToolLoop } from './loop/tool-loop.service';
import { ToolSteps } from './loop/tool-steps.service';
import { RunHandler } from './run.handler';
import { RunsRepository } from './runs.repository';
import { CalculateTool } from './tools/calculate.tool';
import { CurrentTimeTool } from './tools/current-time.tool';
import { PagesRepository } from './tools/pages.repository';
import { ReadDocumentTool } from './tools/read-document.tool';
import { SearchCollectionTool } from './tools/search-collection.tool';
import { ToolBox } from './tools/tool-box.service';
import { ToolGate } from './tools/tool-gate.service';

/** Agents: models that work with tools, step by step, within limits. */
@Module({
  imports: [PostgresModule, AuditModule, StandingModule, JobsModule, ModelsModule, VectorsModule, DocumentsModule, ChatModule],
  providers: [
    AgentsRepository,
    RunsRepository,
    PagesRepository,
    SearchCollectionTool,
    ReadDocumentTool,
    CalculateTool,
    CurrentTimeTool,
    ToolBox,
    ToolGate,
    ToolSteps,
    ToolLoop,
    ResearchLoop,
    LoopChoice,
    Agents,
    AgentRemoval,
    AgentRuns,
    RunHandler,
    { provide: DeclaredJobs, useValue: new DeclaredJobs(agentsRun) },
  ],
  exports: [Agents, AgentRemoval, AgentRuns, ToolBox],
})
export class AgentsModule {}
