import { z } from 'zod';
import { bodyOf } from './parameter-check';
import { CHAT_PARAMETERS } from './parameters';
import { MOST_TOKENS, samplingFields, usageSchema } from './sampling.schema';

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const content = z.union(
  [z.string(), z.array(textPart)],
  'must be a text or an array of text parts: images, audio and files are not read here',
);
const functionName = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, _ or -');

const toolCall = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
});

const message = z.discriminatedUnion('role', [
  z.object({ role: z.enum(['system', 'developer']), content }),
  z.object({ role: z.literal('user'), content }),
  z.object({ role: z.literal('assistant'), content: content.nullish(), tool_calls: z.array(toolCall).nullish() }),
  z.object({ role: z.literal('tool'), content, tool_call_id: z.string() }),
]);

const functionTool = z.object({
  type: z.literal('function', 'must be function: other tools are not offered here'),
  function: z.object({
    name: functionName,
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    strict: z.boolean().nullish(),
  }),
});

const namedTool = z.object({ type: z.literal('function'), function: z.object({ name: functionName }) });

const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    json_schema: z.object({ name: z.string(), schema: z.record(z.string(), z.unknown()), strict: z.boolean().nullish() }),
  }),
]);

export const chatCompletionBody = bodyOf(CHAT_PARAMETERS, {
  ...samplingFields,
  messages: z.array(message).min(1).max(2_048),
  max_completion_tokens: z.int().min(1).max(MOST_TOKENS).nullish(),
  tools: z.array(functionTool).max(128).nullish(),
  tool_choice: z.union([z.enum(['none', 'auto', 'required']), namedTool], 'must be none, auto, required or one function').nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: responseFormat.nullish(),
  reasoning_effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh']).nullish(),
  collections: z.array(z.string().min(1).max(64)).max(16).nullish(),
}).meta({ id: 'ChatCompletionRequest' });

export type ChatCompletionBody = z.infer<typeof chatCompletionBody>;
export type ChatCompletionMessage = z.infer<typeof message>;

const annotation = z.object({
  type: z.literal('url_citation'),
  url_citation: z.object({
    url: z.string().meta({ description: 'The document in this API.' }),
    title: z.string(),
    start_index: z
      .int()
      .meta({ description: 'The span of the answer that the passage supports (UTF-16 code units); 0 to 0: no single span.' }),
    end_index: z.int(),
  }),
  citation: z.record(z.string(), z.unknown()).meta({ description: 'The whole citation, as in the native API.' }),
});

const finishReason = z.enum(['stop', 'length', 'tool_calls']);

export const chatCompletionSchema = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.int(),
    model: z.string().meta({ description: 'The model that answered; an alias is resolved.' }),
    system_fingerprint: z.string().nullable(),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(toolCall).optional(),
          annotations: z.array(annotation).optional(),
        }),
        logprobs: z.null(),
        finish_reason: finishReason,
      }),
    ),
    usage: usageSchema,
  })
  .meta({ id: 'ChatCompletion' });

export type ChatCompletion = z.infer<typeof chatCompletionSchema>;
export type Annotation = z.infer<typeof annotation>;
