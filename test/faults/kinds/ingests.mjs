import { assertShows } from '../shown.mjs';
import { manual } from '../manual.mjs';

/** Documents that are uploaded. */
export async function ingests(rounds) {
  const { client } = rounds;
  let number = 100;
  const ask = async () => {
    const content = manual(++number, 24);
    return { content, ...(await client.upload(`manual-${number}.txt`, content)) };
  };
  const check = ({ document, content }) => assertShows(client, document.id, content);
  await rounds.run('ingest', { ask, check });
}
