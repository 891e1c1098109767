import { broken, brokenStep, initial, isOver, transitions } from './jobs-model.mjs';

/**
 * Every state that can be reached, breadth first, so that a path to what is broken is a shortest one. Answers { states, steps, violations: [{ says, path }] }:
 * a broken rule, or a state from which no way leads to an end of all accepted jobs. Stops at the first.
 */
export function explore({ bug, ...size } = {}) {
  const start = initial(size);
  const rules = transitions(bug).flatMap((rule) => targets(rule, start).map((n) => ({ ...rule, n })));
  const search = new Search(start);
  let steps = 0;
  for (let at = 0; at < search.states; at += 1) {
    const state = search.take(at);
    for (const rule of rules) {
      if (!rule.may(state, rule.n)) continue;
      steps += 1;
      const next = copyOf(state);
      rule.do(next, rule.n);
      const number = search.add(next, at, rule);
      const [says] = [...brokenStep(state, next), ...broken(next)];
      if (says !== undefined) return { states: search.states, steps, violations: [{ says, path: search.pathTo(number) }] };
    }
  }
  const hopeless = search.hopeless();
  const violations =
    hopeless === undefined ? [] : [{ says: 'a job that was accepted can never end: it is lost', path: search.pathTo(hopeless) }];
  return { states: search.states, steps, violations };
}

function targets({ of }, { jobs, workers }) {
  const length = { jobs: jobs.length, workers: workers.length, relay: 1 }[of];
  return Array.from({ length }, (_, n) => n);
}

/** What was found, in the order of finding. */
class Search {
  #numbers = new Map();
  #waiting = [];
  #from = [];
  #by = [];
  #before = [];
  #over = [];

  constructor(start) {
    this.add(start, -1, undefined);
  }

  get states() {
    return this.#from.length;
  }

  /** Its state, which is looked at once. */
  take(number) {
    const state = this.#waiting[number];
    this.#waiting[number] = undefined;
    return state;
  }

  add(state, from, by) {
    const code = codeOf(state);
    const known = this.#numbers.get(code);
    if (known !== undefined) {
      this.#before[known].push(from);
      return known;
    }
    const number = this.states;
    this.#numbers.set(code, number);
    this.#waiting.push(state);
    this.#from.push(from);
    this.#by.push(by);
    this.#before.push(from < 0 ? [] : [from]);
    this.#over.push(isOver(state));
    return number;
  }

  /** The first state from which none leads on in which all accepted jobs are over. */
  hopeless() {
    const hopeful = Uint8Array.from(this.#over, Number);
    const queue = [...hopeful.keys()].filter((number) => hopeful[number] === 1);
    for (const number of queue)
      for (const earlier of this.#before[number])
        if (hopeful[earlier] === 0) {
          hopeful[earlier] = 1;
          queue.push(earlier);
        }
    const found = hopeful.indexOf(0);
    return found < 0 ? undefined : found;
  }

  pathTo(number) {
    const path = [];
    for (let at = number; at > 0; at = this.#from[at]) {
      const { name, of, n } = this.#by[at];
      path.unshift(of === 'relay' ? name : `${name} (${of.slice(0, -1)} ${n})`);
    }
    return path;
  }
}

const STATUSES = ['none', 'queued', 'running', 'done', 'failed'];
const LEASES = ['none', 'valid', 'over'];
const OUTBOX = ['none', 'due', 'taken'];
const STAGES = ['idle', 'delivered', 'working', 'half done', 'finished'];
const RELAY = ['idle', 'claimed', 'confirmed'];

/** Digits of mixed bases, as one number. */
const digits = (...pairs) => pairs.reduce((code, [digit, base]) => code * base + digit, 0);

/**
 * A number for each state. States that differ only in the names of jobs and workers are one; of an epoch only matters whether it is the job's own still, for
 * a stale one stays stale.
 */
function codeOf(state) {
  if (state.jobs.length === 1) return named(state, [0]);
  return Math.min(named(state, [0, 1]), named(state, [1, 0]));
}

function named({ jobs, workers, relay, crashes, duplicates }, names) {
  const coded = [0, 0];
  jobs.forEach((job, n) => (coded[names[n]] = jobCode(job)));
  const [first, second] = workers.map((worker) => workerCode(worker, names[worker.job] ?? -1, jobs[worker.job]?.epoch));
  return digits(
    [coded[0], 10_935],
    [coded[1], 10_935],
    [Math.min(first, second), 60],
    [Math.max(first, second), 60],
    [RELAY.indexOf(relay.stage), 3],
    [(names[relay.job] ?? -1) + 1, 3],
    [crashes, 3],
    [duplicates, 2],
  );
}

function jobCode({ status, attempt, lease, outbox, effects, messages }) {
  return digits(
    [STATUSES.indexOf(status), 5],
    [attempt, 3],
    [LEASES.indexOf(lease), 3],
    [OUTBOX.indexOf(outbox), 3],
    [effects[0], 3],
    [effects[1], 3],
    [messages, 9],
  );
}

function workerCode({ stage, epoch, holds }, job, current) {
  return digits([STAGES.indexOf(stage), 5], [job + 1, 3], [Number(epoch === current), 2], [Number(holds), 2]);
}

const copyOf = ({ jobs, workers, relay, crashes, duplicates }) => ({
  jobs: jobs.map((job) => ({ ...job, effects: [...job.effects] })),
  workers: workers.map((worker) => ({ ...worker })),
  relay: { ...relay },
  crashes,
  duplicates,
});
