// Guards against code and definitions that others bring.
const code = (guard, cases, file, find, replace) => ({ guard, file, find, replace, spec: 'cases/code', cases });

module.exports = [
  code('payload-of-a-job', ['C13'], 'libs/features/jobs/job-attempts.service.ts', 'if (read === undefined)', 'if (false)'),
  code('payload-of-an-ended-job', ['C13'], 'libs/features/jobs/job-settlement.service.ts', 'read === undefined ?', 'false ?'),
  code('payload-of-a-repeated-job', ['C13'], 'libs/features/jobs/jobs.service.ts', 'if (read === undefined)', 'if (false)'),
  code(
    'known-fields-of-runs',
    ['C02'],
    'apps/api/src/agents/agents.schema.ts',
    'startRunBody = z\n  .strictObject(',
    'startRunBody = z\n  .object(',
  ),
  code(
    'known-fields-of-agents',
    ['C07'],
    'apps/api/src/agents/agents.schema.ts',
    'createAgentBody = z.strictObject(',
    'createAgentBody = z.object(',
  ),
  code(
    'known-fields-of-collections',
    ['C11'],
    'apps/api/src/vectors/collections.schema.ts',
    'createCollectionBody = z\n  .strictObject(',
    'createCollectionBody = z\n  .object(',
  ),
  code(
    'names-in-expressions',
    ['C08'],
    'libs/features/agents/tools/arithmetic.ts',
    'if (value === undefined) throw notUnderstood(name);',
    '',
  ),
];
