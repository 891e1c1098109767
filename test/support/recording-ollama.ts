import { join } from 'node:path';

/** The models that it has. */
export const RECORDED_CHAT = 'recorder:1b';
export const RECORDED_EMBEDDING = 'recorder-embed:1b';

export interface RecordedRequest {
  path: string;
  body: Record<string, unknown>;
  tokens: number;
  /** The answer was complete. */
  finished: boolean;
  open: boolean;
  /** Resolves when the connection is closed or the answer complete. */
  closed: Promise<void>;
  line(value: object): void;
  token(text?: string): void;
  end(tool?: { name: string; arguments: object }): void;
  embed(): void;
}

/** Speaks Ollama's protocol and writes down what became of each request; what it is not told to answer it holds. */
export interface RecordingOllama {
  url: string;
  requests: RecordedRequest[];
  plan: Record<string, (request: RecordedRequest) => void>;
  next(path: string): Promise<RecordedRequest>;
  reset(): void;
  close(): Promise<void>;
}

export async function startRecording(): Promise<RecordingOllama> {
  const { RecordingOllama } = (await import(join(__dirname, 'recording-ollama.mjs'))) as {
    RecordingOllama: { start(): Promise<RecordingOllama> };
  };
  return RecordingOllama.start();
}
