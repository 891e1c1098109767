import { Shown, assertShows } from '../shown.mjs';
import { manual } from '../manual.mjs';

const edition = (round) => manual(500 + round, 16);

/** One document that gets a content after another, read all the time: the old one whole until the new one is, and never the old one again. */
export async function replacements(rounds) {
  const { client } = rounds;
  await client.json('POST', '/api/v1/vectors/collections', { name: 'editions' });
  const { document, job } = await client.upload('edition.txt', manual(499, 16), { collection: 'editions' });
  await client.finish(job.id);
  const ask = async (round) => {
    const form = new FormData();
    form.append('file', new Blob([edition(round)]), 'edition.txt');
    const response = await client.request('PUT', `/api/v1/documents/${document.id}`, { body: form });
    return { round, ...(await response.json()) };
  };
  const around = async (work, round) => {
    const shown = new Shown(client, document.id, 'editions', [499 + round, 500 + round]);
    const seen = await shown.during(work);
    if (seen < 1) throw new Error('nobody looked');
  };
  const check = ({ round }) => assertShows(client, document.id, edition(round));
  await rounds.run('replacement', { ask, check, around, cut: true });
}
