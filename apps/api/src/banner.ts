import type { FirstStart } from '@features/auth';
import type { StrongerModel } from '@features/models';

export interface BannerFacts {
  url: string;
  version: string;
  firstStart: FirstStart;
  /** Bytes. */
  totalMemory: number;
  strongerModel?: StrongerModel;
  chatModel: string;
}

/** What a person sees once the server answers: where it is, what to do first, and what this machine could do beyond the starter model. */
export function banner({ url, version, firstStart, totalMemory, strongerModel, chatModel }: BannerFacts): string {
  const lines = [
    '',
    `SutazAI Platform ${version} is ready at ${url}`,
    `  documentation   ${url}/docs`,
    `  health          ${url}/health`,
    '',
  ];
  if (firstStart.userMissing) lines.push(...setupStep(url, firstStart.setupToken));
  else
    lines.push(
      'Log in:',
      `  curl -s ${url}/api/v1/auth/login -H 'content-type: application/json' -d '{"email":"you@example.org","password":"…"}'`,
    );
  if (strongerModel !== undefined && strongerModel.slug !== chatModel) {
    const size = (strongerModel.downloadBytes / 1e9).toFixed(1);
    const memory = Math.round(totalMemory / 2 ** 30);
    lines.push(
      '',
      `This machine (${memory} GiB) can run a stronger model: ${strongerModel.slug}, ${size} GB to download (${strongerModel.license}).`,
    );
    lines.push(`  ${strongerModel.fetch}`, `  then start with ${strongerModel.setting}`);
  }
  return `${lines.join('\n')}\n\n`;
}

/** On loopback the first user needs no token; from elsewhere the token that was printed once. */
function setupStep(url: string, setupToken: string | undefined): string[] {
  const body = `{"email":"you@example.org","password":"at least 12 characters"}`;
  const lines = ['Nobody is registered yet. The first account becomes the administrator:'];
  lines.push(`  curl -s ${url}/api/v1/auth/register -H 'content-type: application/json' -d '${body}'`);
  if (setupToken !== undefined) lines.push(`From another machine add "setup_token":"${setupToken}" to the body. It is shown this once.`);
  lines.push('Then ask a document of your own:', '  npm run ask -- FILE "question"');
  return lines;
}
