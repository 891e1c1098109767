// What a reader sees of a document: its text, its chunks and what a search finds must be one and the same content, and whole.
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '../../scripts/client.mjs';

const PAUSE_MS = 30;

/** A ready document whose original, text and chunks are exactly this content. */
export async function assertShows(client, id, content) {
  const document = await client.json('GET', `/api/v1/documents/${id}`);
  const { text } = await client.json('GET', `/api/v1/documents/${id}/text`);
  const original = await (await client.request('GET', `/api/v1/documents/${id}/content`)).text();
  if (original !== content) throw new Error(`the original of ${id} is not what was sent`);
  if (text.trimEnd() !== content.trimEnd()) throw new Error(`the text of ${id} is not what was sent`);
  const { data: chunks } = await client.json('GET', `/api/v1/documents/${id}/chunks?limit=100`);
  assertWhole(chunks, text);
  if (document.status !== 'ready' || document.error !== null || document.chunks !== chunks.length)
    throw new Error(`${chunks.length} chunks of ${JSON.stringify(document)}`);
}

/** Chunks from the first character to the last, each exactly its slice. */
function assertWhole(chunks, text) {
  let reached = 0;
  for (const { start, end, text: slice } of chunks) {
    if (slice !== text.slice(start, end)) throw new Error(`the chunk at ${start} is not its slice of the text`);
    if (text.slice(reached, start).trim() !== '') throw new Error(`no chunk holds ${JSON.stringify(text.slice(reached, start))}`);
    reached = Math.max(reached, end);
  }
  if (text.slice(reached).trim() !== '') throw new Error(`no chunk holds ${JSON.stringify(text.slice(reached))}`);
}

/** Reads a document while it is replaced: each answer is of one edition, known by its numbers in order, and none goes back. */
export class Shown {
  constructor(client, id, collection, editions) {
    Object.assign(this, { client, id, collection, editions });
    this.latest = 0;
    this.whole = new Map();
    this.looks = 0;
  }

  /** Looks until the work is over; answers how often it saw the document. */
  async during(work) {
    let over = false;
    const watching = this.watch(() => over);
    // Its fault is thrown when the work has ended.
    watching.catch(() => undefined);
    try {
      await work();
    } finally {
      over = true;
    }
    await watching;
    return this.looks;
  }

  async watch(over) {
    while (!over()) {
      try {
        for (const look of [() => this.chunks(), () => this.text(), () => this.found()]) this.see(await look());
        this.looks += 1;
      } catch (error) {
        // A server that was killed answers nothing.
        if (error instanceof ApiError || error instanceof Mixed) throw error;
      }
      await pause(PAUSE_MS);
    }
  }

  async chunks() {
    const { data } = await this.client.json('GET', `/api/v1/documents/${this.id}/chunks?limit=100`);
    return { what: 'chunks', texts: data.map(({ text }) => text) };
  }

  async text() {
    const { text } = await this.client.json('GET', `/api/v1/documents/${this.id}/text`);
    return { what: 'text', texts: [text] };
  }

  async found() {
    const path = `/api/v1/vectors/collections/${this.collection}/search`;
    const { data } = await this.client.json('POST', path, { text: 'station', mode: 'text', limit: 200, include: ['text'] });
    return { what: 'search', texts: data.map(({ text }) => text) };
  }

  /** The same edition has the same number of texts whenever it is seen. */
  see({ what, texts }) {
    const numbers = new Set(texts.flatMap((text) => [...text.matchAll(/\bof line (\d+)\b/gu)].map((match) => Number(match[1]))));
    const [number] = numbers;
    const edition = this.editions.indexOf(number);
    if (numbers.size !== 1 || edition < 0) throw new Mixed(`${what} of the editions ${[...numbers].join(', ') || 'none'}`);
    if (edition < this.latest) throw new Mixed(`${what} of the old edition after the new one`);
    this.latest = edition;
    const size = `${what} ${number}`;
    if (!this.whole.has(size)) this.whole.set(size, texts.length);
    if (this.whole.get(size) !== texts.length) throw new Mixed(`${texts.length} of ${this.whole.get(size)} ${what} of edition ${number}`);
  }
}

class Mixed extends Error {}
