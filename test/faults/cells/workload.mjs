// What clients do during a cell: documents, questions and runs of an agent, one of each kind that the invariants speak of, each written down in the journal.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '../../../scripts/client.mjs';
import { manual } from '../manual.mjs';

const AGAIN_MS = 100;
const PATIENCE_MS = 60_000;
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

export class Workload {
  jobs = new Set();

  /** `name` is unique; `reads` is filled with what readers saw. */
  constructor({ rig, journal, reads, name, chat }) {
    Object.assign(this, { rig, client: rig.client, journal, reads, name, chat });
  }

  /** Resolves when every client has what it wanted. */
  run() {
    const common = [this.cancelledQuestion(), this.poison()];
    const own = this.chat
      ? [this.question('one'), this.question('two'), this.sum(), this.document('only', 6, true)]
      : [this.document('read', 20, true), this.document('left', 12, false), this.deleted(), this.question('one')];
    return Promise.all([...own, ...common]);
  }

  async document(title, stations, isRead) {
    const { job } = await this.upload(title, manual(title.length, stations));
    if (isRead) await this.read(job);
    else this.journal.ok('leave', job, { job });
  }

  async poison() {
    const { job } = await this.upload('poison', 'This is poison.', { poison: true });
    await this.read(job);
  }

  /** Deleted while it is read in, or just before or after. */
  async deleted() {
    const { document } = await this.upload('deleted', manual(7, 12));
    const key = `delete ${document}`;
    await this.until('delete', key, { document }, async () => {
      // A try whose answer was lost has deleted it.
      const gone = (error) => (error instanceof ApiError && error.status === 404 ? undefined : Promise.reject(error));
      await this.client.request('DELETE', `/api/v1/documents/${document}`).catch(gone);
    });
  }

  async question(title) {
    const { job } = await this.ask(`${this.name} question ${title}`);
    await this.read(job);
  }

  /** Cancelled as soon as the first words are there, or at once when they do not come. */
  async cancelledQuestion() {
    const content = `${this.name} say it slowly`;
    const { job } = await this.ask(content, { cancelled: true });
    let cancelling;
    const cancel = () => {
      cancelling ??= this.until('cancel', job, { job, question: content }, () => this.client.request('POST', `/api/v1/jobs/${job}/cancel`));
    };
    const timer = setTimeout(cancel, 3_000);
    await this.read(job, ({ event }) => event === 'delta' && cancel());
    clearTimeout(timer);
    await cancelling;
  }

  /** A run of the agent that uses a tool. */
  async sum() {
    const input = `${this.name} what is 20 + 22?`;
    const { job } = await this.until('run', input, {}, async () => {
      const { job: made, run } = await this.post(`/api/v1/agents/${this.rig.agent.id}/runs`, input, { input });
      return { job: made.id, run: run.id };
    });
    this.jobs.add(job);
    await this.read(job);
  }

  async upload(title, body, more = {}) {
    const key = `${this.name} ${title}`;
    const content = `${body}\nThis is ${key}.\n`;
    const value = { ...more, sha256: sha256(content) };
    const { document, job } = await this.until('upload', key, value, async () => {
      const answer = await this.client.upload(`${title}.txt`, content, { external_id: key });
      // Of what was accepted before, by a try whose answer was lost, the answer is the document.
      const known = answer.job?.id ?? (await this.rig.query(`SELECT job_id FROM documents WHERE id = $1`, [answer.document.id]))[0]?.job_id;
      return { document: answer.document.id, job: known };
    });
    this.jobs.add(job);
    return { document, job };
  }

  async ask(content, value = {}) {
    const session = await this.patient(() => this.client.json('POST', '/api/v1/chat/sessions', { collections: [] }));
    const path = `/api/v1/chat/sessions/${session.id}/messages`;
    const answer = await this.until('ask', content, value, async (tries) => {
      // A try whose answer was lost may have been accepted.
      const { data } = tries === 0 ? { data: [] } : await this.client.json('GET', path);
      const known = data.find(({ role }) => role === 'assistant');
      if (known !== undefined) return { job: known.job_id };
      return { job: (await this.post(path, content, { content })).job.id };
    });
    this.jobs.add(answer.job);
    return answer;
  }

  async post(path, key, body) {
    const headers = { 'idempotency-key': sha256(key) };
    return (await this.client.request('POST', path, { body, headers })).json();
  }

  /** Follows a job to its end, from where it was, however often the connection breaks. */
  async read(job, each = () => undefined) {
    const seen = [];
    this.reads.set(job, seen);
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        for await (const event of this.client.events(job, { after: seen.at(-1)?.id ?? 0 })) {
          seen.push(event);
          each(event);
        }
        return;
      } catch (error) {
        if (performance.now() > deadline || (error instanceof ApiError && error.status < 500)) throw error;
        await delay(AGAIN_MS);
      }
    }
  }

  /** One operation, tried until it is answered; each try is in the journal. */
  async until(op, key, value, once) {
    const deadline = performance.now() + PATIENCE_MS;
    for (let tries = 0; ; tries += 1) {
      this.journal.invoke(op, key, value);
      try {
        const result = await once(tries);
        this.journal.ok(op, key, result);
        return result;
      } catch (error) {
        const refused = error instanceof ApiError && error.status < 500;
        if (error instanceof ApiError) this.journal.fail(op, key, error.message);
        else this.journal.unknown(op, key, String(error));
        if ((refused && error.status !== 409 && error.status !== 429) || performance.now() > deadline)
          throw new Error(`${op} ${key}: ${error.message}`, { cause: error });
        await delay(AGAIN_MS);
      }
    }
  }

  async patient(work) {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if ((error instanceof ApiError && error.status < 500) || performance.now() > deadline) throw error;
        await delay(AGAIN_MS);
      }
    }
  }
}
