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
  models(
    'form-of-a-digest',
    ['L05'],
    'apps/api/src/models/models.schema.ts',
    ".regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 digits of lower-case hexadecimal.')",
    '',
  ),
  models('known-fields-of-pulls', ['A23'], 'apps/api/src/models/models.schema.ts', 'pullBody = z.strictObject(', 'pullBody = z.object('),
  models(
    'pulls-by-instance-admins',
    ['A14'],
    'apps/api/src/models/models.controller.ts',
    'if (!principal.instanceAdmin) throw',
    'if (false) throw',
  ),
  models('host-of-a-request', ['L02'], 'apps/api/src/http/request.guard.ts', 'if (marks.anyHost !== true) this.checkHost(request);', ''),
];
