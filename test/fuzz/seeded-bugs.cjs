// Bugs put into the compiled server on purpose, all at once, for `npm run fuzz -- --seeded`. Each is a change of one place in one file of dist, made
// while that is loaded: no file is written.
const Module = require('node:module');
const { join, sep } = require('node:path');

/** { bug, file, find: stands there exactly once, replace, operations: where it shows, checks: one of these must see it }. */
const BUGS = [
  {
    bug: '500 on a title with a rare character',
    file: 'apps/api/src/chat/chat-sessions.controller.js',
    find: 'async create(body, principal, reply) {',
    replace:
      "async create(body, principal, reply) { if (/[\\u{10000}-\\u{10ffff}]/u.test(body.title ?? '')) throw new TypeError('seeded');",
    operations: /^POST \/api\/v1\/chat\/sessions$/,
    checks: ['not_a_server_error'],
  },
  {
    bug: 'another status than the documented one',
    file: 'apps/api/src/auth/api-keys.controller.js',
    find: '(0, _common.HttpCode)(204)',
    replace: '(0, _common.HttpCode)(202)',
    operations: /^DELETE \/api\/v1\/auth\/keys\/\{id\}$/,
    checks: ['status_code_conformance'],
  },
  {
    bug: 'a field is missing',
    file: 'apps/api/src/agents/agents.controller.js',
    find: 'return shown(await this.agents.get(principal, id), reply);',
    replace: 'const { name: _name, ...rest } = shown(await this.agents.get(principal, id), reply); return rest;',
    operations: /^GET \/api\/v1\/agents\/\{id\}$/,
    checks: ['response_schema_conformance'],
  },
  {
    bug: 'a number as text',
    file: 'apps/api/src/models/models.schema.js',
    find: 'running: status.running,',
    replace: 'running: String(status.running),',
    operations: /^GET \/api\/v1\/models\/\{id\}$/,
    checks: ['response_schema_conformance'],
  },
  {
    bug: 'one route asks nobody who he is',
    file: 'apps/api/src/http/request.guard.js',
    find: 'if (!marks.access.public && ',
    replace: "if (request.routeOptions.url !== '/api/v1/agents/tools' && !marks.access.public && ",
    operations: /^GET \/api\/v1\/agents\/tools$/,
    checks: ['ignored_auth'],
  },
  {
    bug: 'a negative limit is taken',
    file: 'apps/api/src/http/validation.pipe.js',
    find: 'async transform(value, metadata) {',
    replace: "async transform(value, metadata) { if (metadata.type === 'body' && value?.limit < 0) value = { ...value, limit: 1 };",
    operations: /^POST .*\/(search|scroll)$/,
    checks: ['negative_data_rejection'],
  },
  {
    bug: 'another content type than the documented one',
    file: 'apps/api/src/chat/chat-sessions.controller.js',
    find: 'async get(id, principal, reply) {',
    replace: "async get(id, principal, reply) { void reply.type('application/vnd.api+json');",
    operations: /^GET \/api\/v1\/chat\/sessions\/\{id\}$/,
    checks: ['content_type_conformance'],
  },
  {
    bug: 'what was deleted is still there',
    file: 'apps/api/src/documents/documents.controller.js',
    find: 'async delete(id, ifMatch, principal) {',
    replace: 'async delete(id, ifMatch, principal) { return;',
    operations: /documents\/\{id\}$/,
    checks: ['use_after_free'],
  },
  {
    bug: 'a limit one above the bound',
    file: 'apps/api/src/http/validation.pipe.js',
    find: 'return super.transform(value, metadata);',
    replace:
      "return super.transform(metadata.type === 'query' && Number(value?.limit) === 101 ? { ...value, limit: '100' } : value, metadata);",
    operations: /^GET /,
    checks: ['negative_data_rejection'],
  },
  {
    bug: 'null instead of an empty list',
    file: 'libs/kernel/paging/page.js',
    find: 'data: page.data,',
    replace: 'data: page.data.length === 0 ? null : page.data,',
    operations: /^GET /,
    checks: ['response_schema_conformance'],
  },
  {
    bug: 'the id of a new thing leads nowhere',
    file: 'apps/api/src/vectors/collections.controller.js',
    find: 'const collection = await this.catalogue.create(principal, body);',
    replace:
      'const collection = await this.catalogue.create(principal, { ...body, name: `${body.name.slice(0, 50)}-x` }); collection.name = body.name;',
    operations: /vectors\/collections/,
    checks: ['ensure_resource_availability'],
  },
  {
    bug: 'a stranger reads by id',
    file: 'libs/features/agents/agents.repository.js',
    find: 'WHERE id = ${id}::uuid AND workspace_id = ${workspaceId}::uuid`',
    replace: 'WHERE id = ${id}::uuid`',
    operations: /^[A-Z]+ \/api\/v1\/agents\/\{id\}/,
    checks: ['foreign_access'],
  },
];

function planted(file, source) {
  return BUGS.filter((bug) => bug.file === file).reduce((text, { bug, find, replace }) => {
    if (text.split(find).length !== 2)
      throw new Error(`"${bug}": its place stands ${text.split(find).length - 1} times in ${file}, not once`);
    return text.replace(find, () => replace);
  }, source);
}

const dist = join(__dirname, '..', '..', 'dist') + sep;

/** Plants them in what this process loads from now on. */
function plant() {
  const { _compile } = Module.prototype;
  Module.prototype._compile = function compileWithBugs(source, path, ...rest) {
    const file = path.startsWith(dist) ? path.slice(dist.length).replaceAll(sep, '/') : undefined;
    return _compile.call(this, file === undefined ? source : planted(file, source), path, ...rest);
  };
}

module.exports = { BUGS, plant };
