// docs/settings.md out of .env.example: one table for each of its sections.
const SECTION = /^# --- (.+) ---$/;
const SETTING = /^# ([A-Z][A-Z0-9_]*)=(.*)$/;

const INTRODUCTION = `# Settings

Everything has a default; nothing needs to be set. Unset URLs mean the embedded driver. Settings come from the environment, or from a file \`.env\` beside \`.env.example\` when the server is started by \`npm start\`; the environment wins. Every secret may come from a file instead: \`NAME_FILE=/path/to/file\`.

Wrong values stop the start with all faults listed at once (exit code 78). Production means \`NODE_ENV=production\` or a \`HOST\` that is not loopback: there a missing, short or well-known secret stops the start too.

This page is generated from \`.env.example\` by \`npm run sync\`.`;

/** The whole page. A setting's description is the comment lines above it. */
export function settingsPage(example) {
  const lines = [INTRODUCTION];
  let about = [];
  for (const line of example.split('\n')) {
    const section = SECTION.exec(line)?.[1];
    const [, name, usual] = SETTING.exec(line) ?? [];
    if (section) {
      lines.push(`\n## ${section[0].toUpperCase()}${section.slice(1)}\n\n| setting | default | meaning |\n| --- | --- | --- |`);
      about = [];
    } else if (name) {
      lines.push(`| \`${name}\` | ${usual ? `\`${usual}\`` : '–'} | ${about.join(' ').replaceAll('|', '\\|')} |`);
      about = [];
    } else if (line.startsWith('# ')) about.push(line.slice(2));
    else about = [];
  }
  return `${lines.join('\n')}\n`;
}
