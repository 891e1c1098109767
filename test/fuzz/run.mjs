// npm run fuzz -- [--requests 20000] [--seed 1] [--jobs 2] [--seeded]
// The real server under requests made from its own OpenAPI document: the first 20,000 by schemathesis, the others, and at least a quarter as many,
// by test/fuzz/drive, which is faster and asks as those who must not get in. The same seed makes the same requests, but for ids that the server
// hands out, and how far a request got when another deleted what it was about. It must never answer 5xx, never end, keep to the
// statuses, types and schemas that it documents, refuse what its schemas forbid, and ask for a token everywhere. With --seeded it is a server with bugs, of
// which nine of ten must be found.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Driver } from './drive/driver.mjs';
import { FuzzedServer } from './fuzzed-server.mjs';
import { reportBugs } from './seeded.mjs';
import { Findings } from './findings.mjs';
import { ensureSchemathesis } from './schemathesis.mjs';
import { runSchemathesis } from './schemathesis-run.mjs';

const { values: options } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
    seeded: { type: 'boolean', default: false },
  },
});
/** Beyond this many, schemathesis would take hours. */
const MOST_BY_SCHEMATHESIS = 20_000;
const bySchemathesis = Math.min(Number(options.requests), MOST_BY_SCHEMATHESIS);
const byDriver = Math.max(Number(options.requests) - bySchemathesis, Math.ceil(bySchemathesis / 4));
const jobs = Number(options.jobs);
/** Examples for each operation in one process. */
const EXAMPLES = 40;

/** Processes of schemathesis one after the other until enough was asked, each with a seed of its own. */
async function ask(tool, server, findings, folder) {
  let round = 0;
  const worker = async () => {
    while (findings.requests.schemathesis < bySchemathesis && server.alive) {
      const at = round++;
      const phases = at === 0 ? 'coverage,fuzzing' : 'fuzzing,stateful';
      const report = join(folder, `report-${at}.jsonl`);
      const seed = Number(options.seed) * 10_000 + at;
      const answer = await runSchemathesis({
        tool,
        url: server.url,
        nursery: server.nursery.file,
        report,
        seed,
        examples: EXAMPLES,
        phases,
      });
      if (!answer.complete && server.alive) throw new Error(`schemathesis (seed ${seed}) did not work (${answer.reason}):\n${answer.said}`);
      findings.take('schemathesis', answer, seed);
      process.stdout.write(`schemathesis: ${findings.requests.schemathesis} of ${bySchemathesis} requests\n`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

async function drive(server, findings) {
  const driver = new Driver(server, Number(options.seed));
  await driver.begin();
  findings.take('drive', await driver.run(byDriver), Number(options.seed));
}

const tool = await ensureSchemathesis();
const folder = mkdtempSync(join(tmpdir(), 'sutazai-fuzz-'));
const server = new FuzzedServer(folder, { bugs: options.seeded });
const findings = new Findings();
try {
  await server.start();
  await Promise.all([ask(tool, server, findings, folder), drive(server, findings)]);
  const ended = await server.ended();
  const good = options.seeded ? reportBugs(findings) : findings.report(ended) === 0;
  process.exitCode = good ? 0 : 1;
} finally {
  await server.kill();
  rmSync(folder, { recursive: true, force: true });
}
