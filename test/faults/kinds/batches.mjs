const PATH = '/api/v1/vectors/collections/batches';
const POINTS = 48;

const words = (round, n) => `Note ${n} of edition ${round}: the crane of harbour ${n} lifts ${round + n} tonnes.`;

/** Batches of points whose texts a job embeds, under the same ids each time: all of them once, none of the batch before. */
export async function batches(rounds) {
  const { client } = rounds;
  await client.json('POST', '/api/v1/vectors/collections', { name: 'batches' });
  const ask = async (round) => {
    const points = Array.from({ length: POINTS }, (_, n) => ({ id: `n${n}`, text: words(round, n), metadata: { round } }));
    const headers = { prefer: 'respond-async' };
    const response = await client.request('PUT', `${PATH}/points`, { body: { points }, headers });
    if (response.status !== 202) throw new Error(`${response.status} where a job was asked for`);
    return { round, ...(await response.json()) };
  };
  const check = async ({ round }, events) => {
    const { upserted, ids } = events.at(-1).data;
    if (upserted !== POINTS || new Set(ids).size !== POINTS) throw new Error(`the job wrote ${JSON.stringify(events.at(-1).data)}`);
    for (const filter of [{ round }, {}]) {
      const { count } = await client.json('POST', `${PATH}/points/count`, { filter });
      if (count !== POINTS) throw new Error(`${count} points by ${JSON.stringify(filter)}`);
    }
    await assertFound(client, round);
  };
  await rounds.run('batch', { ask, check, cut: true });
}

/** A search finds each once, with the text that was sent last. */
async function assertFound(client, round) {
  for (const mode of ['text', 'vector']) {
    const { data } = await client.json('POST', `${PATH}/search`, { text: 'crane of the harbour', mode, limit: 200, include: ['text'] });
    const found = new Map(data.map(({ id, text }) => [id, text]));
    if (data.length !== POINTS || found.size !== POINTS) throw new Error(`${mode} search found ${data.length} points, ${found.size} ids`);
    for (const [id, text] of found) if (text !== words(round, Number(id.slice(1)))) throw new Error(`point ${id} says ${text}`);
  }
}
