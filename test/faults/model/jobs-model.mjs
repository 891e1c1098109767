// Jobs with their leases, the rows of the outbox, and messages as a state machine: what the database, the broker, one relay and two workers may do, one atomic step at a
// time, and what must never be. Explored whole by `explore.mjs`, and walked at random beside the real tables by a property test.
//
// A job has two effects: the first is committed with a checkpoint, the second ends the job. Messages have no order. A crash takes away what a process knew;
// what is committed stays, and the broker gives messages that were not acknowledged to somebody else. Nothing here looks for lost messages (the product does as
// well, for a broker that loses what it confirmed): without a fault of the broker nothing may depend on that.
//
// A row of the outbox, and the message that it becomes, is a token: whoever gets it takes a queued job, whichever (the product: the fairest). So there must
// be as many tokens, in the outbox or on their way, as there are queued jobs.

const MOST_ATTEMPTS = 2;
/** Messages beyond one for each job: the relay waits until some are gone. */
const MOST_COPIES = 1;

const job = () => ({ status: 'none', epoch: 0, attempt: 0, lease: 'none', effects: [0, 0] });
const idle = () => ({ stage: 'idle', job: -1, epoch: 0, holds: false });

export const initial = ({ jobs = 2, workers = 2, crashes = 2, duplicates = 1 } = {}) => ({
  jobs: Array.from({ length: jobs }, job),
  workers: Array.from({ length: workers }, idle),
  due: 0,
  taken: 0,
  messages: 0,
  relay: 'idle',
  crashes,
  duplicates,
});

export const isTerminal = ({ status }) => status === 'done' || status === 'failed';
const mayCopy = ({ messages, jobs }) => messages < jobs.length + MOST_COPIES;
const waits = ({ status, attempt }) => status === 'queued' && attempt < MOST_ATTEMPTS;
const isLeft = ({ status, lease, attempt }) => status === 'running' && lease === 'over' && attempt < MOST_ATTEMPTS;

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
    if (worker.holds) state.messages += 1;
  };
  const end = (of, status) => Object.assign(of, { status, epoch: of.epoch + 1, lease: 'none' });
  const requeue = (state, of) => {
    Object.assign(of, { status: 'queued', epoch: of.epoch + 1, lease: 'none' });
    state.due += 1;
  };
  return [
    {
      name: 'accept',
      of: 'jobs',
      may: (state, n) => state.jobs[n].status === 'none',
      do: (state, n) => {
        state.jobs[n].status = 'queued';
        state.due += 1;
      },
    },
    {
      name: 'relay claims',
      of: 'relay',
      may: (state) => state.relay === 'idle' && state.due > 0,
      do: (state) => {
        state.due -= 1;
        state.taken += 1;
        state.relay = 'claimed';
      },
    },
    {
      name: 'relay publishes',
      of: 'relay',
      may: (state) => state.relay === 'claimed' && mayCopy(state),
      do: (state) => {
        state.messages += 1;
        state.relay = 'confirmed';
      },
    },
    {
      name: 'relay marks',
      of: 'relay',
      may: (state) => state.relay === 'confirmed',
      do: (state) => {
        state.taken -= 1;
        state.relay = 'idle';
      },
    },
    {
      name: 'a message is doubled',
      of: 'relay',
      may: (state) => state.duplicates > 0 && state.messages > 0 && mayCopy(state),
      do: (state) => {
        state.duplicates -= 1;
        state.messages += 1;
      },
    },
    {
      name: 'a message is delivered',
      of: 'workers',
      may: (state, n) => state.workers[n].stage === 'idle' && state.messages > 0,
      do: (state, n) => {
        state.messages -= 1;
        state.workers[n] = { stage: 'delivered', job: -1, epoch: 0, holds: bug !== 'ack before commit' };
      },
    },
    // A queued job before one whose worker went silent: that one is found by the sweep too.
    ...[0, 1].map((at) => ({
      name: `worker claims job ${at}`,
      job: at,
      of: 'workers',
      may: (state, n) =>
        state.workers[n].stage === 'delivered' &&
        state.jobs[at] !== undefined &&
        (waits(state.jobs[at]) || (isLeft(state.jobs[at]) && !state.jobs.some(waits))),
      do: (state, n) => {
        const of = state.jobs[at];
        Object.assign(of, { status: 'running', epoch: of.epoch + 1, attempt: of.attempt + 1, lease: 'valid' });
        Object.assign(state.workers[n], { stage: of.effects[0] > 0 ? 'half done' : 'working', job: at, epoch: of.epoch });
      },
    })),
    {
      name: 'worker finds nothing to do',
      of: 'workers',
      may: (state, n) => state.workers[n].stage === 'delivered' && !state.jobs.some(waits) && !state.jobs.some(isLeft),
      do: (state, n) => (state.workers[n].stage = 'finished'),
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
        else requeue(state, of);
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
        else requeue(state, of);
      },
    },
    {
      // What a relay has claimed is due again after a while, also when that relay lives and is slow.
      name: 'outbox claim runs out',
      of: 'relay',
      may: (state) => state.taken > (state.relay === 'idle' ? 0 : 1),
      do: (state) => {
        state.taken -= 1;
        state.due += 1;
      },
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
      may: (state) => state.crashes > 0 && state.relay !== 'idle',
      do: (state) => {
        state.crashes -= 1;
        state.relay = 'idle';
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
    if (each.attempt > MOST_ATTEMPTS) found.push(`job ${n} has too many attempts`);
  });
  const queued = state.jobs.filter(({ status }) => status === 'queued').length;
  const arrived = state.workers.filter(({ stage, holds }) => stage === 'delivered' && holds).length;
  if (queued > state.due + state.taken + state.messages + arrived) found.push('a queued job has no token');
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
