// The job, its outbox row, its messages and its lease as a state machine: what the database, the broker, one relay and two workers may do, one atomic step at a
// time, and what must never be. Explored whole by `explore.mjs`, and walked at random beside the real tables by a property test.
//
// A job has two effects: the first is committed with a checkpoint, the second ends the job. Messages have no order. A crash takes away what a process knew;
// what is committed stays, and the broker gives messages that were not acknowledged to somebody else. Nothing here looks for lost messages (the product does as
// well, for a broker that loses what it confirmed): without a fault of the broker nothing may depend on that.

const MOST_ATTEMPTS = 2;
/** Copies of one message beyond the first. */
const MOST_COPIES = 1;

const job = () => ({ status: 'none', epoch: 0, attempt: 0, lease: 'none', outbox: 'none', effects: [0, 0], messages: 0 });
const idle = () => ({ stage: 'idle', job: -1, epoch: 0, holds: false });

export const initial = ({ jobs = 2, workers = 2, crashes = 2, duplicates = 1 } = {}) => ({
  jobs: Array.from({ length: jobs }, job),
  workers: Array.from({ length: workers }, idle),
  relay: { stage: 'idle', job: -1 },
  crashes,
  duplicates,
});

const isOpen = ({ status }) => status === 'queued' || status === 'running';
export const isTerminal = ({ status }) => status === 'done' || status === 'failed';
const mayCopy = ({ messages }) => messages < 1 + MOST_COPIES;

/** What a release of the design does not do; each is a bug that the exploration must find. */
export const BUGS = {
  'ack before commit': 'the message is acknowledged when it arrives, before the lease is committed',
  'no fencing': 'a worker writes without looking whether the job is still its own',
};

/**
 * { name, of: the things it may be done to, may(state, n), do(state, n) }: `do` changes the state that it is given. `n` is the number of a job or worker.
 */
export function transitions(bug) {
  const fenced = (state, { job: of, epoch }) =>
    bug === 'no fencing' || (state.jobs[of].status === 'running' && state.jobs[of].epoch === epoch);
  const give = (state, worker) => {
    if (worker.holds) state.jobs[worker.job].messages += 1;
  };
  const end = (of, status) => Object.assign(of, { status, epoch: of.epoch + 1, lease: 'none', outbox: 'none' });
  return [
    {
      name: 'accept',
      of: 'jobs',
      may: (state, n) => state.jobs[n].status === 'none',
      do: (state, n) => Object.assign(state.jobs[n], { status: 'queued', outbox: 'due' }),
    },
    {
      name: 'relay claims',
      of: 'jobs',
      may: (state, n) => state.relay.stage === 'idle' && state.jobs[n].outbox === 'due',
      do: (state, n) => {
        state.jobs[n].outbox = 'taken';
        state.relay = { stage: 'claimed', job: n };
      },
    },
    {
      name: 'relay publishes',
      of: 'relay',
      may: (state) => state.relay.stage === 'claimed' && mayCopy(state.jobs[state.relay.job]),
      do: (state) => {
        state.jobs[state.relay.job].messages += 1;
        state.relay.stage = 'confirmed';
      },
    },
    {
      name: 'relay marks',
      of: 'relay',
      may: (state) => state.relay.stage === 'confirmed',
      do: (state) => {
        // A row that a claim or an end has deleted, and a newer one of the same job, are not this row.
        if (state.jobs[state.relay.job].outbox === 'taken') state.jobs[state.relay.job].outbox = 'none';
        state.relay = { stage: 'idle', job: -1 };
      },
    },
    {
      name: 'a message is doubled',
      of: 'jobs',
      may: (state, n) => state.duplicates > 0 && state.jobs[n].messages > 0 && mayCopy(state.jobs[n]),
      do: (state, n) => {
        state.duplicates -= 1;
        state.jobs[n].messages += 1;
      },
    },
    ...[0, 1].map((at) => ({
      name: `job ${at} is delivered`,
      job: at,
      of: 'workers',
      may: (state, n) => state.workers[n].stage === 'idle' && (state.jobs[at]?.messages ?? 0) > 0,
      do: (state, n) => {
        state.jobs[at].messages -= 1;
        state.workers[n] = { stage: 'delivered', job: at, epoch: 0, holds: bug !== 'ack before commit' };
      },
    })),
    {
      name: 'worker claims',
      of: 'workers',
      may: (state, n) => state.workers[n].stage === 'delivered',
      do: (state, n) => {
        const worker = state.workers[n];
        const of = state.jobs[worker.job];
        const isFree = of.status === 'queued' || (of.status === 'running' && of.lease === 'over');
        if (!isFree || of.attempt >= MOST_ATTEMPTS) {
          worker.stage = 'finished';
          return;
        }
        Object.assign(of, { status: 'running', epoch: of.epoch + 1, attempt: of.attempt + 1, lease: 'valid', outbox: 'none' });
        Object.assign(worker, { stage: of.effects[0] > 0 ? 'half done' : 'working', epoch: of.epoch });
      },
    },
    {
      name: 'worker commits the first effect',
      of: 'workers',
      may: (state, n) => state.workers[n].stage === 'working',
      do: (state, n) => {
        const worker = state.workers[n];
        if (!fenced(state, worker)) return void (worker.stage = 'finished');
        state.jobs[worker.job].effects[0] += 1;
        worker.stage = 'half done';
      },
    },
    {
      name: 'worker commits the end',
      of: 'workers',
      may: (state, n) => state.workers[n].stage === 'half done',
      do: (state, n) => {
        const worker = state.workers[n];
        worker.stage = 'finished';
        if (!fenced(state, worker)) return;
        state.jobs[worker.job].effects[1] += 1;
        end(state.jobs[worker.job], 'done');
      },
    },
    {
      name: 'worker fails for now',
      of: 'workers',
      may: (state, n) => ['working', 'half done'].includes(state.workers[n].stage),
      do: (state, n) => {
        const worker = state.workers[n];
        worker.stage = 'finished';
        const of = state.jobs[worker.job];
        if (of.status !== 'running' || of.epoch !== worker.epoch) return;
        if (of.attempt >= MOST_ATTEMPTS) end(of, 'failed');
        else Object.assign(of, { status: 'queued', epoch: of.epoch + 1, lease: 'none', outbox: 'due' });
      },
    },
    {
      name: 'worker acknowledges',
      of: 'workers',
      may: (state, n) => state.workers[n].stage === 'finished',
      do: (state, n) => (state.workers[n] = idle()),
    },
    {
      // The worker is dead, stopped or slow.
      name: 'lease runs out',
      of: 'jobs',
      may: (state, n) => state.jobs[n].status === 'running' && state.jobs[n].lease === 'valid',
      do: (state, n) => (state.jobs[n].lease = 'over'),
    },
    {
      name: 'sweep',
      of: 'jobs',
      may: (state, n) => state.jobs[n].status === 'running' && state.jobs[n].lease === 'over',
      do: (state, n) => {
        const of = state.jobs[n];
        if (of.attempt >= MOST_ATTEMPTS) end(of, 'failed');
        else Object.assign(of, { status: 'queued', epoch: of.epoch + 1, lease: 'none', outbox: 'due' });
      },
    },
    {
      // What a relay has claimed is due again after a while, also when that relay lives and is slow.
      name: 'outbox claim runs out',
      of: 'jobs',
      may: (state, n) => state.jobs[n].outbox === 'taken' && !(state.relay.stage !== 'idle' && state.relay.job === n),
      do: (state, n) => (state.jobs[n].outbox = 'due'),
    },
    {
      name: 'worker crashes',
      of: 'workers',
      may: (state, n) => state.crashes > 0 && state.workers[n].stage !== 'idle',
      do: (state, n) => {
        state.crashes -= 1;
        give(state, state.workers[n]);
        state.workers[n] = idle();
      },
    },
    {
      name: 'relay crashes',
      of: 'relay',
      may: (state) => state.crashes > 0 && state.relay.stage !== 'idle',
      do: (state) => {
        state.crashes -= 1;
        state.relay = { stage: 'idle', job: -1 };
      },
    },
    {
      // What was delivered comes again, and no acknowledgement arrives.
      name: 'broker crashes',
      of: 'relay',
      may: (state) => state.crashes > 0 && state.workers.some(({ holds }) => holds),
      do: (state) => {
        state.crashes -= 1;
        for (const worker of state.workers) {
          give(state, worker);
          worker.holds = false;
        }
      },
    },
  ];
}

/** What must hold in every state, as sentences for what does not. */
export function broken(state) {
  const found = [];
  state.jobs.forEach((each, n) => {
    if (each.effects.some((count) => count > 1)) found.push(`an effect of job ${n} is there twice`);
    if (each.status === 'done' && each.effects.some((count) => count !== 1))
      found.push(`job ${n} is done and an effect of it is not there`);
    const owners = state.workers.filter(
      ({ stage, job: of, epoch }) =>
        ['working', 'half done'].includes(stage) && of === n && epoch === each.epoch && each.status === 'running',
    );
    if (owners.length > 1) found.push(`job ${n} has two valid leases`);
    if (!isOpen(each) && each.outbox !== 'none') found.push(`job ${n} is over and still in the outbox`);
    if (each.attempt > MOST_ATTEMPTS) found.push(`job ${n} has too many attempts`);
  });
  return found;
}

/** What must hold from one state to the next. */
export function brokenStep(before, after) {
  return before.jobs.flatMap((each, n) => {
    const next = after.jobs[n];
    const found = isTerminal(each) && next.status !== each.status ? [`job ${n} was ${each.status} and became ${next.status}`] : [];
    if (next.epoch < each.epoch) found.push(`the epoch of job ${n} went back`);
    if (isTerminal(each) && next.effects.join() !== each.effects.join()) found.push(`job ${n} has an effect after its end`);
    return found;
  });
}

/** All accepted jobs are over. */
export const isOver = (state) => state.jobs.every((each) => each.status === 'none' || isTerminal(each));
