export type ModelKind = 'chat' | 'embedding';
export type ModelState = 'ready' | 'missing' | 'pulling' | 'failed' | 'unknown';

/** What a runtime reports about one model; the truth at the time of asking. */
export interface ModelCard {
  /** Catalogue slug `^[a-z0-9][a-z0-9._:-]{0,127}$`. */
  id: string;
  kind: ModelKind;
  runtime: string;
  grade?: 'starter';
  state: ModelState;
  loaded: boolean;
  sizeBytes: number;
  /** `sha256:…` of the weights as published, null when unknown. */
  digest: string | null;
  license: string;
  languages: string[];
  /** Tokens. */
  contextLength: number;
  /** `chat` or `embedding`; further `completion`, `tools` (native calls), `json_schema` (constrained output), `thinking`. */
  capabilities: string[];
  embedding?: EmbeddingTraits;
  /** Tells these weights from others that go by the same id in this runtime; unset where there can be no others. Never shown. */
  weights?: string;
}

export interface EmbeddingTraits {
  dimensions: number;
  maxInputTokens: number;
  pooling: 'mean' | 'cls' | 'last';
  queryPrefix: string;
  documentPrefix: string;
  /** Calibrated cosine similarity from which a passage counts as found. */
  threshold: number;
}

/** A call that the model wants made. */
export interface ToolCall {
  id: string;
  name: string;
  /** JSON text as the model wrote it: to be checked before it is used. */
  arguments: string;
}

/** A function that the model may ask for; `parameters` is a JSON Schema of an object. */
export interface ToolDefinition {
  name: string;
  description?: string;
  parameters: Record<string, unknown>;
}

export type ToolChoice = 'auto' | 'none' | 'required' | { name: string };

export interface ChatTurn {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string;
  /** assistant: the calls it asked for. */
  toolCalls?: ToolCall[];
  /** tool: the call whose result this is. */
  toolCallId?: string;
}

/** What the answer must be: any text, any JSON, or JSON that satisfies a schema. */
export type AnswerFormat = { type: 'text' } | { type: 'json' } | { type: 'json_schema'; schema: Record<string, unknown> };

/** How tokens are chosen and when to stop; the same for chat and plain completion. */
export interface SamplingRequest {
  model: string;
  maxTokens: number;
  temperature: number;
  /** 0..1; unset: the runtime's own. */
  topP?: number;
  seed?: number;
  stop?: string[];
  /** Exact counts so far, whenever they change: what an aborted answer has used. */
  onTokens?(inputTokens: number, outputTokens: number): void;
  /** Aborting stops the model's work, before the first token too. */
  signal: AbortSignal;
}

export interface ChatRequest extends SamplingRequest {
  /** The last turn is the user's or a tool's. */
  turns: ChatTurn[];
  format?: AnswerFormat;
  tools?: ToolDefinition[];
  toolChoice?: ToolChoice;
  /** Whether a model that can think before it answers should; default false. */
  think?: boolean;
}

/** Continues a text as it is, without a chat template. */
export interface CompletionRequest extends SamplingRequest {
  prompt: string;
}

export type ChatChunk =
  | { type: 'text'; text: string }
  /** What the model thinks before it answers; never part of the answer. */
  | { type: 'reasoning'; text: string }
  /** One whole call. */
  | { type: 'tool_call'; call: ToolCall }
  | { type: 'end'; finishReason: 'stop' | 'length' | 'tool_calls'; inputTokens: number; outputTokens: number; seconds: number };

export interface EmbedRequest {
  model: string;
  texts: string[];
  /** A model may embed questions and passages differently. */
  input: 'query' | 'document';
  /** By these weights of the model alone (`ModelCard.weights`); `unavailable` when nobody has them now. */
  weights?: string;
  /** Exact count so far, whenever it changes: what an aborted call has used. */
  onTokens?(inputTokens: number): void;
  signal: AbortSignal;
}

export interface EmbedAnswer {
  /** One unit-length vector for each text, in order. */
  vectors: Float32Array[];
  inputTokens: number;
  seconds: number;
}

/** What one model is doing now. */
export interface ModelActivity {
  running: number;
  queued: number;
  /** Made (chat) or read (embedding) per second of work in the last minute; null when it did nothing. */
  tokensPerSecond: number | null;
}

/**
 * Port: a place where models run (llama.cpp in process, Ollama). Errors: `unavailable` (missing or failed model, with the command that mends it),
 * `context_length_exceeded` (prompt plus `maxTokens` over the context; an embedding input over `maxInputTokens`: nothing is clipped silently), `cancelled` on abort.
 */
export abstract class ModelRuntime {
  abstract readonly name: string;
  abstract models(): Promise<ModelCard[]>;
  /** The model's card for each set of weights that it has under this id now. */
  async variants(model: string): Promise<ModelCard[]> {
    return (await this.models()).filter(({ id }) => id === model);
  }
  /** Whether all of it answers; never rejects. */
  reachable(): Promise<boolean> {
    return Promise.resolve(true);
  }
  abstract activity(model: string): ModelActivity;
  /** How many calls it can work on at once with this model; at least 1. */
  abstract parallel(model: string): number;
  /** Loads the weights when they are not in memory yet. */
  abstract load(model: string, signal: AbortSignal): Promise<void>;
  /** Streams text as the model makes it; the last chunk is `end`. Ending the iteration early stops the model. */
  abstract chat(request: ChatRequest): AsyncIterable<ChatChunk>;
  /** Continues a prompt; errors and end as for `chat`. */
  abstract complete(request: CompletionRequest): AsyncIterable<ChatChunk>;
  abstract embed(request: EmbedRequest): Promise<EmbedAnswer>;
  /** Exact token counts by the model's own tokenizer, without special tokens. */
  abstract countTokens(model: string, texts: string[], signal: AbortSignal): Promise<number[]>;
  /** Exact tokens of the whole prompt after the chat template. */
  abstract countPromptTokens(model: string, turns: ChatTurn[], signal: AbortSignal): Promise<number>;
}
