// Requests made from the schemas of an operation, by seed.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { hostile } from './arbitraries.mjs';
import { spoiled } from './spoil.mjs';

const MODELS = { '/v1/embeddings': 'scripted-embedding', '/api/v1/vectors/collections': 'scripted-embedding' };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-/;
/** Of 100 path parameters, this many lead to things that are there; fewer where they are deleted, so that something is left for the others. */
const LIVE = 85;
const LIVE_TO_DELETE = 15;
/** What is deleted there is made again by requests of the fuzzer itself. */
const SMALL_DELETES = /\/(points\/\{id\}|feedback|members\/\{user\}|invitations\/\{invitation\})$/;
/** Without the bias of fast-check towards small numbers: shares of them are shares. */
const pick = fc.noBias(fc.nat({ max: 2 ** 30 }));

/** An arbitrary of drafts for one operation: everything but the ids of living things, which are put in when it is sent. */
export function drafts(operation, arbitraries) {
  const values = {};
  for (const { in: place, name, schema } of operation.parameters)
    values[`${place} ${name}`] = parameter(schema, arbitraries.fitting(schema));
  const bodies = operation.bodies.map(({ type, schema }) =>
    type === 'application/json' ? jsonDraft(arbitraries.fitting(schema)) : fc.uint8Array({ maxLength: 400 }).map((bytes) => ({ bytes })),
  );
  return fc.record({
    caller: pick,
    live: pick,
    which: pick,
    parameters: fc.record(values, { noNullPrototype: true }),
    bodies: fc.tuple(...bodies),
  });
}

/** Mostly what fits, sometimes what has broken others, and for numbers the two first values beyond the bounds. */
function parameter({ type, minimum, maximum }, fitting) {
  const beyond = type === 'integer' ? [minimum - 1, maximum + 1].filter((value) => Number.isSafeInteger(value)) : [];
  const values = [
    { weight: 5, arbitrary: fitting },
    { weight: 1, arbitrary: hostile },
  ];
  if (beyond.length > 0) values.push({ weight: 2, arbitrary: fc.constantFrom(...beyond) });
  return fc.record({ value: fc.oneof(...values), there: pick });
}

const jsonDraft = (fitting) =>
  fc.tuple(fitting, pick, hostile).map(([value, number, poison]) => {
    if (number % 100 < 40) return { value };
    if (number % 100 < 95) return { value: spoiled(value, Math.floor(number / 100), poison), spoiled: true };
    return { text: broken(JSON.stringify(value), number) };
  });

/** Text that no parser of JSON takes. */
const broken = (text, number) => [`{${text}`, `${text}}`, `\u0001${text}`, `'${text}'`, '', 'undefined', '[1,]', '{"a":01}'][number % 8];

/** A draft with living ids: { method, path, headers, body, caller, canary, foreign, mustFail }. */
export function request(operation, draft, { callers, things, canary }) {
  const caller = callers.kind(draft.caller);
  const asked = { method: operation.method, caller, canary, foreign: false, headers: {} };
  const authorization = callers.header(caller, operation);
  if (authorization !== undefined) asked.headers.authorization = authorization;
  asked.path = pathOf(operation, draft, things, asked) + queryOf(operation, draft, asked);
  for (const { in: place, name } of operation.parameters) {
    const { value, there } = draft.parameters[`${place} ${name}`];
    if (place === 'header' && there % 3 === 0) asked.headers[name.toLowerCase()] = headerText(value);
  }
  if (operation.streams && draft.live % 4 === 0) asked.headers.accept = 'text/event-stream';
  if (operation.bodies.length > 0) addBody(operation, draft, things, asked);
  return asked;
}

const deletesMuch = ({ method, path }) => method === 'DELETE' && !SMALL_DELETES.test(path);

function pathOf(operation, draft, things, asked) {
  const deletes = deletesMuch(operation);
  let pools = draft.live % 100 < (deletes ? LIVE_TO_DELETE : LIVE) ? things : {};
  let number = Math.floor(draft.live / 100);
  const parts = operation.path.split('/');
  return parts
    .map((part, at) => {
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      if (name === undefined) return part;
      const pool = (pools[parts[at - 1]] ?? []).filter(({ mine }) => mine || !deletes || at < parts.length - 1);
      const thing = pool[number % pool.length];
      number = Math.floor(number / 7);
      pools = thing?.things ?? {};
      if (thing !== undefined && UUID.test(thing.id)) asked.foreign = true;
      return encodeURIComponent(thing?.id ?? scalars(draft.parameters[`path ${name}`].value)) || '-';
    })
    .join('/');
}

function queryOf(operation, draft, asked) {
  const pairs = [];
  for (const { in: place, name, schema } of operation.parameters) {
    if (place !== 'query') continue;
    const { value, there } = draft.parameters[`query ${name}`];
    if (there % 3 !== 0) continue;
    const text = scalars(value);
    pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(text)}`);
    if (schema.type === 'integer' && !fitsInteger(text, schema)) asked.mustFail = `${name}=${text.slice(0, 80)}`;
    if (schema.enum !== undefined && !schema.enum.includes(text)) asked.mustFail = `${name}=${text.slice(0, 80)}`;
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

const fitsInteger = (text, { minimum = -Infinity, maximum = Infinity }) =>
  text.trim() !== '' && Number.isInteger(Number(text)) && Number(text) >= minimum && Number(text) <= maximum;

function addBody(operation, draft, things, asked) {
  const at = draft.which % operation.bodies.length;
  const { type, validate } = operation.bodies[at];
  const chosen = draft.bodies[at];
  asked.headers['content-type'] = type;
  if (type === 'multipart/form-data') return addMultipart(chosen.bytes, draft, asked);
  if (chosen.bytes !== undefined) return void (asked.body = Buffer.from(chosen.bytes));
  if (chosen.text !== undefined) {
    asked.body = chosen.text;
    asked.mustFail = 'what is not JSON';
    return;
  }
  const value = chosen.spoiled === true ? chosen.value : led(chosen.value, operation, draft, things);
  asked.body = JSON.stringify(value);
  if (!validate(JSON.parse(asked.body))) asked.mustFail = `${validate.errors[0].instancePath} ${validate.errors[0].message}`;
}

/** A sound body that speaks of things that are there. */
function led(value, { path }, draft, things) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const names = things.collections.map(({ id }) => id);
  const copy = { ...value };
  if (copy.model !== undefined) copy.model = MODELS[path] ?? 'scripted';
  if (Array.isArray(copy.collections) && draft.live % 5 > 0) copy.collections = [names[draft.live % names.length]];
  if (typeof copy.collection === 'string' && draft.live % 5 > 0) copy.collection = names[draft.live % names.length];
  if (copy.workspace_id !== undefined) copy.workspace_id = things.workspaces[0].id;
  if (Array.isArray(copy.points) && draft.live % 5 > 0)
    copy.points = copy.points.map((point, at) => ({ ...point, vector: [1, at, -0.5, 0] }));
  if (Array.isArray(copy.vector) && draft.live % 5 > 0) copy.vector = [1, 0, -0.5, 0];
  return copy;
}

function addMultipart(bytes, draft, asked) {
  const boundary = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const name = ['a.txt', '../a.txt', 'b.md', 'c.pdf', 'ü.csv', 'no-extension', 'e.html'][draft.which % 7];
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: text/plain\r\n\r\n`;
  const file = draft.live % 2 === 0 ? Buffer.from(bytes) : Buffer.from(`Number ${draft.live}: the office opens at six.`);
  asked.headers['content-type'] = `multipart/form-data; boundary=${boundary}`;
  asked.body = Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${boundary}--\r\n`)]);
}

/** As text of which a URL can be made. */
const scalars = (value) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toWellFormed().slice(0, 600);
const headerText = (value) => scalars(value).replace(/[^\x20-\x7e]/g, '?');
