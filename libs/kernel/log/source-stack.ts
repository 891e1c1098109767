import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, resolve } from 'node:path';

/** A place in a built file: `(/path/file.js:12:34)`, with or without the brackets. */
const PLACE = /((?:\/|[A-Za-z]:[\\/])[^():]+\.js):(\d+):(\d+)(\)?)$/;
const maps = new Map<string, SourceMap | undefined>();

/**
 * The stack with the places of the sources instead of those of the built files, as far as a map lies beside them. Node's own `--enable-source-maps` reads and
 * parses the map of every file at its load, which costs a start about a fifth of a second and 15 MB; here a map is read when an error was in its file.
 */
export function sourceStack(stack: string): string {
  return stack
    .split('\n')
    .map((line) => line.replace(PLACE, sourcePlace))
    .join('\n');
}

function sourcePlace(place: string, file: string, line: string, column: string, bracket: string): string {
  const entry = mapOf(file)?.findEntry(Number(line) - 1, Number(column) - 1);
  if (entry === undefined || !('originalSource' in entry)) return place;
  return `${resolve(dirname(file), entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}${bracket}`;
}

function mapOf(file: string): SourceMap | undefined {
  if (!maps.has(file)) maps.set(file, read(file));
  return maps.get(file);
}

/** Packages are shown as they are installed. */
function read(file: string): SourceMap | undefined {
  if (/[\\/]node_modules[\\/]/.test(file)) return undefined;
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMapPayload);
  } catch {
    return undefined;
  }
}
