// Where the product is interrupted in the fault runs: named points, put into its sources while they are compiled for the rig and into nothing else. The
// product's own sources and its build know nothing of them.

/**
 * { point, file: from the root, find: text (or what matches) that stands there exactly once, put: what stands there with the point, what: for people }. In `put`, `failpoint(point, detail)`
 * is awaited where the flow is to stop, and `failpoint.during(point, promise, detail)` keeps back what has begun already.
 */
const POINTS = [
  {
    point: 'P0',
    what: 'request parsed',
    file: 'libs/features/documents/document-originals.service.ts',
    find: 'const { documentId, contentVersion } = place ?? newPlace();',
    put: (found) => `await failpoint('P0'); ${found}`,
  },
  {
    point: 'P1',
    what: 'blob fsynced',
    file: 'libs/features/documents/document-originals.service.ts',
    find: 'const charset = charsetOf(contentType);',
    put: (found) => `await failpoint('P1'); ${found}`,
  },
  {
    point: 'P2',
    what: 'accepted, response not sent',
    file: 'libs/features/documents/document-intake.service.ts',
    find: 'await this.tries.begun(null);',
    put: (found) => `await failpoint('P2'); ${found}`,
  },
  {
    point: 'P3',
    what: 'response sent',
    file: 'apps/api/src/http/hooks.ts',
    find: 'metrics.end(request.method, route, reply.statusCode, reply.elapsedTime);',
    put: (found) => `void failpoint('P3', \`\${request.method} \${route}\`); ${found}`,
    detail: 'POST /api/v1/documents',
  },
  {
    point: 'P4',
    what: 'outbox claimed',
    file: 'libs/features/jobs/outbox-relay.service.ts',
    find: 'const unsent = await this.publish(rows);',
    put: (found) => `if (rows.length > 0) await failpoint('P4'); ${found}`,
  },
  {
    point: 'P5',
    what: 'published, confirm not heard',
    file: 'libs/features/jobs/outbox-relay.service.ts',
    find: /this\.transport\.publish\(\{[^}]*\}(, \w+)?\)/,
    put: (found) => `failpoint.during('P5', ${found})`,
  },
  {
    point: 'P6',
    what: 'confirmed, not marked',
    file: 'libs/features/jobs/outbox-relay.service.ts',
    find: /await this\.outbox\.delete\(.+\);/,
    put: (found) => `if (rows.length > 0) await failpoint('P6'); ${found}`,
  },
  {
    point: 'P7',
    what: 'delivered, lease not taken',
    file: 'libs/features/jobs/job-runner.service.ts',
    find: /(const job =|return) await this\.attempts\.claim\(\w+\);/,
    put: (found) => `await failpoint('P7'); ${found}`,
  },
  {
    point: 'P8',
    what: 'leased',
    file: 'libs/features/jobs/job-runner.service.ts',
    find: 'const run: Run = { job, done: this.execute(job, controller) };',
    put: (found) => `await failpoint('P8', job.kind); ${found}`,
    detail: 'documents.ingest',
  },
  {
    point: 'P9',
    what: 'parsed and chunked',
    file: 'libs/features/documents/ingest-writer.service.ts',
    find: 'const ingest = { context, document, plan };',
    put: (found) => `await failpoint('P9'); ${found}`,
  },
  {
    point: 'P10',
    what: 'batch embedded',
    file: 'libs/features/documents/ingest-writer.service.ts',
    find: 'const points = planned.map(({ point }, index): NewPoint => {',
    put: (found) => `await failpoint('P10'); ${found}`,
  },
  {
    point: 'P11',
    what: 'vectors written, ledger not committed',
    file: 'libs/features/documents/ingest-writer.service.ts',
    find: '(connection) => this.points.record(connection, plan.space, owner, points)',
    put: () => `async (connection) => { await this.points.record(connection, plan.space, owner, points); await failpoint('P11'); }`,
  },
  {
    point: 'P12',
    what: 'ledger committed, not visible',
    file: 'libs/features/documents/ingest-writer.service.ts',
    find: 'await this.publish(ingest, at, to);',
    put: (found) => `await failpoint('P12'); ${found}`,
  },
  {
    point: 'P13',
    what: 'visible and ended, not acknowledged',
    file: 'libs/features/jobs/job-settlement.service.ts',
    find: 'this.signals.ended(ended);',
    put: (found) => `await failpoint(ended.kind === 'documents.ingest' ? 'P13' : 'Q6', ended.kind); ${found}`,
  },
  {
    point: 'P14',
    what: 'acknowledged',
    file: 'libs/backing/rabbitmq/rabbitmq.consumers.ts',
    find: 'this.answer(() => channel.ack(raw));',
    put: (found) => `${found} await failpoint('P14', raw.properties.type);`,
    detail: 'documents.ingest',
  },
  {
    point: 'Q0',
    what: 'question accepted',
    file: 'libs/features/chat/chat-questions.service.ts',
    find: 'return { messageId: questionId, answerId, jobId: job.jobId };',
    put: (found) => `await failpoint('Q0'); ${found}`,
  },
  {
    point: 'Q1',
    what: 'first token',
    file: 'libs/features/jobs/delta-writer.service.ts',
    find: 'if (this.first || this.pieces >= TOKENS) {',
    put: (found) => `if (this.first) await failpoint('Q1', this.event); ${found}`,
    detail: 'delta',
  },
  {
    point: 'Q2',
    what: 'batch of tokens gathered, not committed',
    file: 'libs/features/jobs/delta-writer.service.ts',
    find: 'await this.context.emit(this.event, { text })',
    put: (found) => `await failpoint('Q2', this.event); ${found}`,
    detail: 'delta',
    // The first token goes alone.
    skip: 1,
  },
  {
    point: 'Q3',
    what: 'batch committed, not sent',
    file: 'libs/features/jobs/job-attempt.service.ts',
    find: 'this.doors.signals.notify(this.jobId);',
    put: (found) => `await failpoint('Q3', event); ${found}`,
    detail: 'delta',
    skip: 1,
  },
  {
    point: 'Q4',
    what: 'during a tool call',
    file: 'libs/features/agents/loop/tool-steps.service.ts',
    find: 'this.gate.call({ agent: run.agent, name: call.name, arguments: call.arguments, account, signal })',
    put: (found) => `failpoint.during('Q4', ${found})`,
  },
  {
    point: 'Q5',
    what: 'tool effect done, result not recorded',
    file: 'libs/features/agents/loop/tool-steps.service.ts',
    find: "const step = await journal.record({ kind: 'tool',",
    put: (found) => `await failpoint('Q5'); ${found}`,
  },
  { point: 'Q6', what: 'answer committed, `done` not sent', with: 'P13', detail: 'chat.answer' },
];

/** Times that a cell need not wait for in full: { file, find, put }. */
const TIMES = [
  ['readonly leaseMs: number = 15_000;', 'readonly leaseMs: number = 3_000;'],
  ['readonly heartbeatMs: number = 5_000;', 'readonly heartbeatMs: number = 1_000;'],
  ['readonly redispatchMs: number = 5_000;', 'readonly redispatchMs: number = 2_000;'],
].map(([find, put]) => ({ point: put, file: 'libs/features/jobs/job-timing.entity.ts', find, put: () => put }));

const PLACES = [...POINTS.filter(({ file }) => file !== undefined), ...TIMES];
/** The changed files, from the root. */
const FILES = [...new Set(PLACES.map(({ file }) => file))];

/** The source of a file with its points. Throws when a place is not there exactly once: a point that is nowhere would make a cell that proves nothing. */
function withPoints(file, source) {
  return PLACES.filter((place) => place.file === file).reduce((text, { point, find, put }) => {
    const times = typeof find === 'string' ? text.split(find).length - 1 : [...text.matchAll(new RegExp(find, 'g'))].length;
    if (times !== 1) throw new Error(`${point}: "${find}" stands ${times} times in ${file}, not once`);
    return text.replace(find, (found) => put(found));
  }, source);
}

module.exports = { FILES, POINTS, withPoints };
