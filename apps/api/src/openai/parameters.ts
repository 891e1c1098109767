/** A parameter that would change the result and is not supported; `except` are the values that ask for nothing. */
export interface RefusedParameter {
  note: string;
  except: readonly unknown[];
}

/** What an address does with each parameter that OpenAI's own has; every other name is refused as unknown. */
export interface ParameterTable<Supported extends string = string> {
  endpoint: string;
  supported: Record<Supported, string>;
  ignored: Record<string, string>;
  refused: Record<string, RefusedParameter>;
}

const USER = 'names the end user for OpenAI; requests count for the API key here';
const CACHE = 'prompts are cached by their beginning, by themselves';
const NO_PENALTY = { note: 'the runtimes do not offer it', except: [0] };
const NO_BIAS = { note: 'single tokens cannot be favoured', except: [{}] };
const ONE_CHOICE = { note: 'one answer for each call', except: [1] };

export const CHAT_PARAMETERS = {
  endpoint: 'POST /v1/chat/completions',
  supported: {
    model: 'an id of `GET /v1/models`, or an alias',
    messages: 'roles `system`, `developer`, `user`, `assistant`, `tool`; content as text or as text parts',
    stream: '',
    stream_options: '`include_usage`; `include_obfuscation` is ignored',
    max_completion_tokens: 'unset: as many as the context of the model has left',
    max_tokens: 'the older name of `max_completion_tokens`',
    temperature: '0 to 2, unset: 0.7; 0 is repeatable',
    top_p: '',
    seed: 'the same seed gives the same answer while model and runtime stay the same',
    stop: 'a text, or up to 4',
    tools: 'functions; models without calls of their own are led by a grammar',
    tool_choice: '`none`, `auto`, `required` or one function',
    parallel_tool_calls: 'false: the answer ends with its first call',
    response_format: '`text`, `json_object`, `json_schema`',
    reasoning_effort: '`none` and `minimal`: no thinking; every other word: thinking, by models that can',
    collections: 'extension: names of collections that ground the answer; citations are in `message.annotations`',
  },
  ignored: {
    user: USER,
    safety_identifier: USER,
    store: 'nothing is stored',
    metadata: 'belongs to `store`',
    service_tier: 'there is one tier',
    prompt_cache_key: CACHE,
    prompt_cache_retention: CACHE,
    prediction: 'speeds up answers at OpenAI, the text stays the same',
  },
  refused: {
    n: ONE_CHOICE,
    logprobs: { note: 'probabilities are not given', except: [false] },
    top_logprobs: { note: 'probabilities are not given', except: [0] },
    logit_bias: NO_BIAS,
    frequency_penalty: NO_PENALTY,
    presence_penalty: NO_PENALTY,
    modalities: { note: 'answers are text', except: [['text']] },
    audio: { note: 'answers are text', except: [] },
    verbosity: { note: 'say it in the system message', except: ['medium'] },
    web_search_options: { note: 'nothing is searched on the web', except: [] },
    functions: { note: 'deprecated by OpenAI: use `tools`', except: [[]] },
    function_call: { note: 'deprecated by OpenAI: use `tool_choice`', except: [] },
  },
} as const satisfies ParameterTable;

export const COMPLETION_PARAMETERS = {
  endpoint: 'POST /v1/completions',
  supported: {
    model: 'a chat model with the capability `completion`, or an alias',
    prompt: 'a text, or up to 16, each with its own choice; token arrays are refused',
    stream: '',
    stream_options: '`include_usage`; `include_obfuscation` is ignored',
    max_tokens: 'unset: 16',
    temperature: '0 to 2, unset: 0.7; 0 is repeatable',
    top_p: '',
    seed: 'the same seed gives the same text while model and runtime stay the same',
    stop: 'a text, or up to 4',
    echo: 'the prompt stands before its continuation',
  },
  ignored: { user: USER },
  refused: {
    n: ONE_CHOICE,
    best_of: ONE_CHOICE,
    suffix: { note: 'text is continued, not filled in', except: [''] },
    logprobs: { note: 'probabilities are not given', except: [] },
    logit_bias: NO_BIAS,
    frequency_penalty: NO_PENALTY,
    presence_penalty: NO_PENALTY,
  },
} as const satisfies ParameterTable;

export const EMBEDDING_PARAMETERS = {
  endpoint: 'POST /v1/embeddings',
  supported: {
    model: 'an embedding model, or an alias',
    input: 'a text, or up to 2048; token arrays are refused',
    encoding_format: '`float` or `base64` (32-bit floats, little-endian)',
    dimensions: 'only the number that the model has',
    input_type: 'extension: `query` or `document` (unset), for models that embed the two differently',
  },
  ignored: { user: USER },
  refused: {},
} as const satisfies ParameterTable;

export const PARAMETER_TABLES: readonly ParameterTable[] = [CHAT_PARAMETERS, COMPLETION_PARAMETERS, EMBEDDING_PARAMETERS];
