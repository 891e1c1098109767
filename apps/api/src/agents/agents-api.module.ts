import { Module } from '@nestjs/common';
import { AgentsModule } from '@features/agents';
import { JobsModule } from '@features/jobs';
import { AgentRunsController } from './agent-runs.controller';
import { AgentsController } from './agents.controller';

/** The HTTP edge of agents. */
@Module({ imports: [AgentsModule, JobsModule], controllers: [AgentsController, AgentRunsController] })
export class AgentsApiModule {}
