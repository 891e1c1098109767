import { setTimeout as delay } from 'node:timers/promises';
import { generator } from '../random.mjs';

/**
 * How often each is chosen, and seconds from the kill to the first success that are allowed: a job that ended, of those accepted after the kill, where `jobs`
 * depend on the victim; a request else.
 */
export const VICTIMS = {
  api: { weight: 6, seconds: 3 },
  worker: { weight: 6, seconds: 20, jobs: true },
  redis: { weight: 4, seconds: 1 },
  postgres: { weight: 3, seconds: 5 },
  rabbitmq: { weight: 1, seconds: 10, jobs: true },
};
/** Of the kills of a victim so many must be over in time. */
const SHARE = 0.9;
const PAUSE_MS = 600;

/** Kills one of the processes after the other, at random, starts it again at once, and keeps how long it took until a request succeeded. */
export class Killer {
  /** { victim, at: the wall clock in ms, seconds: from the kill to the first success, away: until the process was ready }. */
  kills = [];

  constructor({ map, load, ledger, victims, seed }) {
    Object.assign(this, { map, load, ledger, victims, random: generator(seed) });
  }

  async run(count, say) {
    while (this.kills.length < count) {
      await delay(this.random() * 2 * PAUSE_MS);
      this.kills.push(await this.#kill(this.#choose()));
      if (this.kills.length % 20 === 0) say(`${this.kills.length} of ${count} kills, ${this.load.jobs.size} jobs accepted`);
    }
  }

  /** A line for each victim; how many came back too late. */
  report(say) {
    let late = 0;
    for (const victim of this.victims) {
      const kills = this.kills.filter((kill) => kill.victim === victim);
      if (kills.length === 0) continue;
      const seconds = kills.map((kill) => kill.seconds).sort((one, other) => one - other);
      const away = kills.map((kill) => kill.away).sort((one, other) => one - other);
      const at = (values, share) => values[Math.min(values.length - 1, Math.floor(values.length * share))].toFixed(2);
      const allowed = VICTIMS[victim].seconds;
      const isLate = Number(at(seconds, SHARE)) > allowed;
      late += isLate ? 1 : 0;
      say(
        `${victim.padEnd(9)} ${String(kills.length).padStart(3)} kills | first success after p50 ${at(seconds, 0.5)} s, p90 ${at(seconds, SHARE)} s, most ${at(seconds, 1)} s` +
          ` (${allowed} s allowed) | itself ready after p50 ${at(away, 0.5)} s${isLate ? ' | LATE' : ''}`,
      );
    }
    return late;
  }

  async #kill(victim) {
    const { map, load } = this;
    const [at, from] = [Date.now(), performance.now()];
    const process = victim === 'api' || victim === 'worker' ? map[victim] : map.servers[victim];
    await process.kill();
    const succeeded = VICTIMS[victim].jobs ? this.ledger.firstEnd(at) : load.success(performance.now());
    await (victim === 'api' || victim === 'worker' ? process.start() : process.restart());
    const ready = performance.now();
    return { victim, at, away: (ready - from) / 1_000, seconds: ((await succeeded) - from) / 1_000 };
  }

  #choose() {
    const total = this.victims.reduce((sum, victim) => sum + VICTIMS[victim].weight, 0);
    let left = this.random() * total;
    for (const victim of this.victims) {
      left -= VICTIMS[victim].weight;
      if (left < 0) return victim;
    }
    return this.victims.at(-1);
  }
}
