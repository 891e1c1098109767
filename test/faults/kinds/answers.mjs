import { manual } from '../manual.mjs';

/** Questions over a document: the deltas after the last reset are the stored message. */
export async function answers(rounds) {
  const { client } = rounds;
  const uploaded = await client.upload('gearbox.md', manual(7, 12));
  await client.finish(uploaded.job.id);
  const ask = async () => {
    const session = await client.json('POST', '/api/v1/chat/sessions', { collections: ['default'] });
    const accepted = await client.json('POST', `/api/v1/chat/sessions/${session.id}/messages`, {
      content: 'How often must station 7 be greased?',
    });
    return { session, ...accepted };
  };
  const check = async ({ session, answer }, events) => {
    const text = events.slice(events.findLastIndex((e) => e.event === 'reset') + 1).filter((e) => e.event === 'delta');
    const { data: messages } = await client.json('GET', `/api/v1/chat/sessions/${session.id}/messages`);
    const stored = messages.find((m) => m.id === answer.id);
    if (messages.length !== 2 || stored?.status !== 'complete') throw new Error(`the session holds ${JSON.stringify(messages)}`);
    if (stored.content !== text.map((e) => e.data.text).join('')) throw new Error('the deltas are not the stored message');
  };
  await rounds.run('answer', { ask, check });
}
