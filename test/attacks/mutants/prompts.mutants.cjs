// Guards between what models and documents say and what is done.
const prompts = (guard, cases, file, find, replace) => ({ guard, file, find, replace, spec: 'cases/prompts', cases });
const GATE = 'libs/features/agents/tools/tool-gate.service.ts';

module.exports = [
  prompts('tool-grant', ['D03'], GATE, 'agent.tools.includes(name) ? this.toolBox.get(name) : undefined', 'this.toolBox.get(name)'),
  prompts('tool-arguments', ['D03'], GATE, 'if (fault !== undefined)', 'if (false)'),
  prompts(
    'tool-reads-its-collections',
    ['D03'],
    'libs/features/agents/tools/read-document.tool.ts',
    'if (!reach.collections.some((collection) => collection.id === document.collectionId))',
    'if (false)',
  ),
  prompts(
    'tool-searches-its-collections',
    ['D03'],
    'libs/features/agents/tools/search-collection.tool.ts',
    'reach.collections.filter(({ name }) => name === collection)',
    'reach.collections',
  ),
  prompts(
    'tool-results-are-no-orders',
    ['D03'],
    'libs/features/agents/loop/run-prompt.ts',
    '[instructions, RULE, form]',
    '[instructions, form]',
  ),
  prompts('passages-are-no-orders', ['D01'], 'libs/features/chat/answer/prompt.ts', 'const rules = GROUNDED + ', "const rules = '' + "),
  prompts(
    'types-of-answers',
    ['D08'],
    'libs/backing/ollama/answer.line.ts',
    'message: z.object({ content: z.string().nullish()',
    'message: z.object({ content: z.any()',
  ),
  prompts(
    'collections-of-a-workspace',
    ['D11'],
    'libs/features/vectors/collections.repository.ts',
    'WHERE c.workspace_id = ${workspaceId} AND c.name = ANY(',
    'WHERE ${workspaceId}::uuid IS NOT NULL AND c.name = ANY(',
  ),
  prompts(
    'events-on-one-line',
    ['D01'],
    'apps/api/src/jobs/event-stream.ts',
    'data: ${JSON.stringify(data)}',
    "data: ${JSON.stringify(data).replaceAll('\\\\n', '\\n')}",
  ),
];
