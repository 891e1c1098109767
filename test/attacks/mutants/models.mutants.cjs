// Guards of models and their servers.
const models = (guard, cases, file, find, replace) => ({ guard, file, find, replace, spec: 'cases/models', cases });
const TARGET = 'libs/features/models/pulls/pull-target.ts';

module.exports = [
  models('name-of-a-model', ['A23'], TARGET, 'if (!NAME.test(name) && !hosted)', 'if (false)'),
  models(
    'registry-of-a-model',
    ['A25'],
    TARGET,
    'hosted ? matching.some((pattern) => pattern.startsWith(`${host}/`)) : matching.length > 0',
    'matching.length > 0',
  ),
  models(
    'digest-of-a-model',
    ['L05'],
    'libs/features/models/pulls/pull.handler.ts',
    'if (digest !== undefined && card?.digest !== digest)',
    'if (false)',
  ),
  models('known-fields-of-pulls', ['A23'], 'apps/api/src/models/models.schema.ts', 'pullBody = z.strictObject(', 'pullBody = z.object('),
  models('host-of-a-request', ['L02'], 'apps/api/src/http/request.guard.ts', 'if (marks.anyHost !== true) this.checkHost(request);', ''),
];
