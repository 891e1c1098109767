import { AppError } from '@kernel/errors';

/** Seconds after which a busy server may have room again. */
const BUSY_RETRY = 2;

/** An answer of Ollama that is no success; `name` is the model as Ollama calls it. */
export function refusal(status: number, said: string, name: string): AppError {
  const cause = new Error(`Ollama answered ${status}: ${said}`);
  if (status === 404 || /model .*(not found|does not exist)/i.test(said)) return notThere(name, cause);
  if (status === 503 || /server busy/i.test(said)) {
    return new AppError('unavailable', 'Ollama has too many requests waiting: try again in a moment.', {
      cause,
      retryAfterSeconds: BUSY_RETRY,
    });
  }
  const lacking = /does not support (tools|thinking|chat|completion|embed\w*|generate)/i.exec(said)?.[1];
  if (lacking !== undefined) return lacks(name, lacking.toLowerCase(), cause);
  if (/(exceeds?|larger than).*context (length|size)|context length exceeded/i.test(said)) {
    return new AppError('context_length_exceeded', `The text is longer than the context of ${name}.`, { cause });
  }
  if (/requires more system memory|out of memory|cudaMalloc/i.test(said)) {
    return new AppError('unavailable', `Ollama has not enough memory to load ${name}.`, { cause, retryable: false });
  }
  if (status === 400) return new AppError('invalid', `Ollama refused the request for ${name}.`, { cause });
  return new AppError('unavailable', `Ollama failed while it worked with ${name}.`, { cause });
}

/** The model is not on Ollama's server. */
export function notThere(name: string, cause?: unknown): AppError {
  return new AppError('unavailable', `The model ${name} is not on the Ollama server: run \`ollama pull ${name}\`.`, {
    retryable: false,
    cause,
  });
}

export function unreachable(cause?: unknown): AppError {
  return new AppError('unavailable', 'Ollama does not answer (OLLAMA_URL).', { cause, retryAfterSeconds: 5 });
}

/** It failed at this model several times in a row, and is left alone for a while. */
export function failing(name: string, retryAfterSeconds: number): AppError {
  return new AppError('unavailable', `Ollama keeps failing at ${name}: it is tried again in a moment.`, { retryAfterSeconds });
}

/** The stream is over and the answer is not. */
export function brokenOff(name: string, cause?: unknown): AppError {
  return new AppError('unavailable', `The answer of ${name} broke off: Ollama ended the stream before it was done.`, { cause });
}

export function cancelled(signal: AbortSignal): AppError {
  return new AppError('cancelled', 'The work was cancelled.', { cause: signal.reason });
}

function lacks(name: string, ability: string, cause: Error): AppError {
  const [path, word] =
    ability === 'tools'
      ? ['tools', 'tools']
      : ability === 'thinking'
        ? ['options.think', 'thinking']
        : ['model', ability.replace(/^embed.*/, 'embeddings')];
  const message = `the model ${name} does not support ${word}`;
  return new AppError('invalid', `${path}: ${message}.`, { cause, errors: [{ path, message }] });
}
