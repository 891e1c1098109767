import { parseEvents, type StreamedEvent } from './events';
import type { TestApi } from './api';

export interface RunStep {
  step: number;
  kind: 'model' | 'tool';
  tool?: string;
  text?: string;
  arguments?: Record<string, unknown>;
  result?: unknown;
  error?: { code: string; message: string };
  tool_calls?: { id: string; name: string; arguments: string }[];
  usage: { input_tokens: number; output_tokens: number };
}

export interface Run {
  id: string;
  job_id: string;
  status: string;
  output: string;
  error: { code: string; message: string; retryable: boolean } | null;
  citations: { document: string; quote: string; supports: object[] }[];
  usage: { model_calls: number; tool_calls: number; input_tokens: number; output_tokens: number };
  steps: RunStep[];
  agent: Record<string, unknown>;
  agent_id: string | null;
}

/** An agent and its runs over HTTP. */
export class AgentBench {
  constructor(
    readonly api: TestApi,
    readonly token: string,
  ) {}

  async make(body: object): Promise<{ id: string; name: string }> {
    const { status, json, text } = await this.api.post('/api/v1/agents', { name: `agent ${Math.random()}`, ...body }, this.token);
    if (status !== 201) throw new Error(`Making an agent answered ${status}: ${text}`);
    return json as unknown as { id: string; name: string };
  }

  async start(agentId: string, body: object = {}): Promise<{ run: Run; job: { id: string } }> {
    const { status, json, text } = await this.api.post(`/api/v1/agents/${agentId}/runs`, { input: 'Do it.', ...body }, this.token);
    if (status !== 202) throw new Error(`Starting a run answered ${status}: ${text}`);
    return json as unknown as { run: Run; job: { id: string } };
  }

  /** All events of a job, when it has ended. */
  async events(jobId: string): Promise<StreamedEvent[]> {
    return parseEvents(await this.api.fetch(`/api/v1/jobs/${jobId}/events`, { token: this.token }));
  }

  async read(runId: string): Promise<Run> {
    return (await this.api.get(`/api/v1/agents/runs/${runId}`, this.token)).json as unknown as Run;
  }

  /** Runs to the end. */
  async run(agentId: string, body: object = {}): Promise<{ run: Run; events: StreamedEvent[] }> {
    const { run, job } = await this.start(agentId, body);
    const events = await this.events(job.id);
    return { run: await this.read(run.id), events };
  }
}
