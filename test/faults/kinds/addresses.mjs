import { createServer } from 'node:http';
import { assertShows } from '../shown.mjs';
import { manual } from '../manual.mjs';

const STATIONS = 16;
const PARTS = 4;
/** Slow enough that a kill can fall between two parts. */
const PAUSE_MS = 60;

/** Documents by their address, on a neighbour that hands its pages out slowly: what has arrived is never fetched again. */
export async function addresses(rounds) {
  const { client } = rounds;
  await client.json('POST', '/api/v1/vectors/collections', { name: 'addresses' });
  const neighbour = new Neighbour();
  await neighbour.listen();
  try {
    const ask = async (round) => {
      const number = 300 + round;
      const accepted = await client.json('POST', '/api/v1/documents', { collection: 'addresses', url: neighbour.address(number) });
      return { number, ...accepted };
    };
    const check = async ({ number }, events) => {
      // A request that was cut and asked again is another document until its bytes arrive; then it is the one that is there.
      await assertShows(client, events.at(-1).data.document_id, manual(number, STATIONS));
      assertFetchedOnce(events, neighbour.asked.get(number));
      const { data } = await client.json('GET', '/api/v1/documents?collection=addresses&limit=100');
      const twins = data.filter((each) => each.source_url === neighbour.address(number) && each.status === 'ready');
      if (twins.length !== 1) throw new Error(`${twins.length} documents of one address`);
    };
    await rounds.run('address', { ask, check, cut: true });
  } finally {
    await neighbour.close();
  }
}

/** Each attempt asks at most once, and none that follows the arrival. Jobs of requests that were cut ask for themselves. */
function assertFetchedOnce(events, asked) {
  const attempts = events.filter((e) => e.event === 'started').length;
  const reread = events.filter((e) => e.event === 'progress' && e.data.message === 'Fetching').length;
  const read = events.findIndex((e) => e.event === 'progress' && e.data.message === 'Reading the text');
  const again = events.findLastIndex((e) => e.event === 'progress' && e.data.message === 'Fetching');
  if (read < 0 && events.at(-1).data.duplicate !== true) throw new Error('nothing was read');
  if (reread > attempts || asked < 1) throw new Error(`fetched ${reread} times in ${attempts} attempts, ${asked} requests`);
  if (read >= 0 && again > read) throw new Error('fetched again although it had arrived');
}

/** Pages by their number, and how often each was asked for. */
class Neighbour {
  asked = new Map();

  async listen() {
    this.server = createServer((request, response) => {
      const number = Number(/^\/manual-(\d+)\.txt$/.exec(request.url)?.[1]);
      this.asked.set(number, (this.asked.get(number) ?? 0) + 1);
      void this.answer(response, manual(number, STATIONS));
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  address(number) {
    return `http://127.0.0.1:${this.server.address().port}/manual-${number}.txt`;
  }

  async answer(response, content) {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
    const size = Math.ceil(content.length / PARTS);
    for (let at = 0; at < content.length && !response.destroyed; at += size) {
      response.write(content.slice(at, at + size));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    response.end();
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
