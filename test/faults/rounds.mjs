// What the kinds of rounds share: the kill at a random moment, the restart, and the story that a job's events must tell.
import { ApiError } from '../../scripts/client.mjs';
import { generator } from './random.mjs';

/** Kills of one server: `check` sees what a client was promised, the events of its job, and the last one's data. */
export class Rounds {
  constructor({ database, server, client, count, seed }) {
    Object.assign(this, { database, server, client, count, random: generator(seed) });
  }

  /**
   * As many rounds as asked for: `ask` answers what was accepted, with its `job`; then the server dies within the time that an undisturbed one takes.
   * `cut: true`: also while the request is on its way; a client whose request was cut asks again.
   */
  async run(kind, { ask, check = () => undefined, around = (work) => work(), cut = false }) {
    let spread;
    await around(async () => {
      const started = performance.now();
      const accepted = await ask(0);
      const events = await this.story(accepted.job.id);
      spread = performance.now() - started;
      await check(accepted, events);
    }, 0);
    for (let round = 1; round <= this.count; round++) {
      try {
        await around(async () => {
          const accepted = await this.interrupted(() => ask(round), this.moment(round) * spread, cut);
          const events = accepted.job === undefined ? [] : await this.story(accepted.job.id);
          await check(accepted, events);
          this.tell(kind, round, events);
        }, round);
      } catch (error) {
        throw new Error(`${kind} on ${this.database}, round ${round}: ${error.message}`, { cause: error });
      }
    }
    await this.quiet();
  }

  /** A part of the whole, random within the round's own share of it: a few rounds do not all fall into one corner. */
  moment(round) {
    return (round - 1 + this.random()) / this.count;
  }

  async interrupted(ask, milliseconds, cut) {
    const asked = ask();
    // Whether it came through is looked at after the restart.
    asked.catch(() => undefined);
    if (!cut) await asked;
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    await this.server.kill();
    await this.server.start();
    try {
      return await asked;
    } catch (error) {
      if (error instanceof ApiError) throw error;
      return ask();
    }
  }

  /** The events of a job from 1 to its end, checked: ids without a gap, exactly one terminal event, the last. */
  async story(jobId) {
    const events = [];
    for await (const event of this.client.events(jobId)) events.push(event);
    events.forEach((event, index) => {
      if (event.id !== index + 1) throw new Error(`job ${jobId}: event ${event.id} stands where ${index + 1} belongs`);
    });
    const ends = events.filter((e) => ['done', 'error', 'cancelled'].includes(e.event));
    if (ends.length !== 1 || ends[0] !== events.at(-1)) throw new Error(`job ${jobId}: ${ends.length} terminal events`);
    if (ends[0].event !== 'done') throw new Error(`job ${jobId} ended with ${ends[0].event}: ${JSON.stringify(ends[0].data)}`);
    return events;
  }

  /** Until no job is open: one whose acceptance nobody was told goes on all the same. */
  async quiet() {
    for (const status of ['queued', 'running']) {
      const { data } = await this.client.json('GET', `/api/v1/jobs?status=${status}`);
      for (const job of data) await this.client.finish(job.id);
    }
  }

  tell(kind, round, events) {
    const attempts = events.filter((e) => e.event === 'started').length;
    process.stdout.write(`  ${this.database}: ${kind} ${round}/${this.count}: ${events.length} events, ${attempts} attempt(s)\n`);
  }
}
