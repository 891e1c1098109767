// Loaded into the real server before its own code (node --require): the only model is a script of twelve steps (m t t m t m t m t m t m), every
// call of a model or tool leaves a line in FAULT_LOG before it is done, and in the moment after the commit of each step the process kills itself
// with SIGKILL, once for each step. Everything else is the product as it is.
const { appendFileSync, existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

const { chatCard, dist, serve } = require('../support/scripted-models.cjs');
const { ToolBox } = require(join(dist, 'features/agents'));
const { JobAttempt } = require(join(dist, 'features/jobs/job-attempt.service'));

const log = process.env.FAULT_LOG;
const note = (line) => appendFileSync(log, `${line}\n`);
const noted = (line) => existsSync(log) && readFileSync(log, 'utf8').split('\n').includes(line);

const call = (name, given, id) => ({ type: 'tool_call', call: { id, name, arguments: JSON.stringify(given) } });
const SCRIPT = {
  0: [call('calculate', { expression: '1 + 1' }, 'a'), call('current_time', {}, 'b')],
  2: [call('calculate', { expression: '2 + 1' }, 'c')],
  3: [call('calculate', { expression: '3 + 1' }, 'd')],
  4: [call('current_time', { time_zone: 'Europe/Zurich' }, 'e')],
  5: [call('calculate', { expression: '5 + 1' }, 'f')],
  6: [
    { type: 'text', text: 'Twelve ' },
    { type: 'text', text: 'steps.' },
  ],
};

serve([chatCard('tools')], {
  countTokens: async (_, texts) => texts.map((text) => text.length),
  countPromptTokens: async () => 100,
  async *chat({ turns }) {
    const results = turns.filter(({ role }) => role === 'tool').length;
    note(`model ${results}`);
    yield* SCRIPT[results];
    yield { type: 'end', finishReason: results === 6 ? 'stop' : 'tool_calls', inputTokens: 100, outputTokens: 10, seconds: 0.01 };
  },
});

const get = ToolBox.prototype.get;
ToolBox.prototype.get = function counted(name) {
  const checked = get.call(this, name);
  if (checked === undefined) return undefined;
  const tool = {
    definition: checked.tool.definition,
    run: (given, reach) => (note(`tool ${name} ${JSON.stringify(given)}`), checked.tool.run(given, reach)),
  };
  return { ...checked, tool };
};

const { transaction } = JobAttempt.prototype;
JobAttempt.prototype.transaction = async function mortal(work, checkpoint) {
  const answer = await transaction.call(this, work, checkpoint);
  const line = `died after step ${checkpoint?.step}`;
  if (checkpoint?.step !== undefined && !noted(line)) {
    note(line);
    process.kill(process.pid, 'SIGKILL');
    // The signal is on its way; nothing more is done.
    await new Promise(() => undefined);
  }
  return answer;
};
