export { AgentRemoval } from './agent-removal.service';
export { AgentsModule } from './agents.module';
export { Agents, type AgentInput } from './agents.service';
export { AgentRuns, type RunInput } from './agent-runs.service';
export { agentsRun, type AgentRunPayload } from './agents.jobs';
export { DEFAULT_LIMITS, MOST_LIMITS, STRATEGIES, type Agent, type AgentFields, type AgentLimits, type Strategy } from './agent.entity';
export { runView, stepView, type AgentRun, type AgentStep } from './run.entity';
export { RunHandler } from './run.handler';
export { ToolBox } from './tools/tool-box.service';
