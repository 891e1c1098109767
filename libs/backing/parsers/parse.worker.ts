// Reads untrusted files in a thread of its own, which can be ended at any moment. The libraries that read them are loaded here only.
// Runs as compiled JavaScript in the product and, by Node's own type stripping, as this file in the tests: erasable types only.
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { FormatParser, ParsedText, ParseRequest } from './formats/parsed-text';

interface WorkerRequest extends ParseRequest {
  id: number;
}

/** File of the parser for each type; everything else is text. */
const PARSERS: Record<string, string> = {
  'application/pdf': 'pdf',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'text/html': 'html',
  'text/csv': 'csv',
  'application/json': 'json',
};
const { folder, extension } = workerData as { folder: string; extension: string };

// Sources import each other without the suffix, which Node asks for when it reads them as they are.
if (extension === '.ts') {
  registerHooks({
    resolve: (specifier, context, next) => {
      const own = specifier.startsWith('./') && context.parentURL?.endsWith('.ts') === true;
      return next(own ? `${specifier}.ts` : specifier, context);
    },
  });
}

async function read(request: WorkerRequest): Promise<ParsedText> {
  const file = join(folder, 'formats', `${PARSERS[request.mediaType] ?? 'text'}${extension}`);
  const { parse } = (await import(pathToFileURL(file).href)) as { parse: FormatParser };
  const parsed = await parse(request);
  const { title, columns } = parsed;
  return {
    ...parsed,
    text: storable(parsed.text),
    title: title === null ? null : storable(title),
    columns: columns?.map(storable) ?? null,
  };
}

/** U+FFFD for U+0000 and for halves of characters, which no database holds: of the same length, so that offsets stay. */
function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed();
}

function answer(id: number, { text, ...rest }: ParsedText): void {
  const bytes = new Uint8Array(text.length * 2);
  Buffer.from(bytes.buffer).write(text, 'utf16le');
  parentPort?.postMessage({ id, parsed: rest, text: bytes }, [bytes.buffer]);
}

parentPort?.on('message', (request: WorkerRequest) => {
  read(request).then(
    (parsed) => answer(request.id, parsed),
    (error: unknown) => {
      const { name, code, message } = error as { name?: string; code?: string; message?: string };
      if (name === 'ParseFault') parentPort?.postMessage({ id: request.id, fault: { code, message } });
      else if (error instanceof RangeError) {
        const deep = 'The file is nested too deeply, or too large in one piece, to be read.';
        parentPort?.postMessage({ id: request.id, fault: { code: 'unprocessable', message: deep } });
      } else parentPort?.postMessage({ id: request.id, failed: `${String(name)}: ${String(message)}` });
    },
  );
});
