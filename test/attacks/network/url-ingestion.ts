import { parseEvents } from '../../support/events';
import type { TestApi } from '../../support/api';

/** What became of a URL that somebody gave as a document: `accepted` and read, or the code of its refusal, with all that was said about it. */
export interface IngestedUrl {
  /** Of the request itself. */
  status: number;
  outcome: string;
  said: string;
}

/** Gives a URL as a new document and waits for the end of its job. */
export async function ingestUrl(api: TestApi, token: string, url: string, more: object = {}): Promise<IngestedUrl> {
  const { status, json, text } = await api.post('/api/v1/documents', { url, ...more }, token);
  if (status !== 202) return { status, outcome: String(json.code), said: text };
  const { job } = json as unknown as { job: { id: string } };
  const events = await parseEvents(await api.fetch(`/api/v1/jobs/${job.id}/events`, { token }));
  const last = events.at(-1);
  return { status, outcome: last?.event === 'done' ? 'accepted' : String(last?.data.code), said: JSON.stringify(last?.data) };
}
