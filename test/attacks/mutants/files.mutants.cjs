// Guards of files and names.
const ARCHIVE = 'libs/backing/parsers/formats/archive.ts';
const files = (guard, cases, file, find, replace) => ({ guard, file, find, replace, spec: 'cases/files', cases });

module.exports = [
  files('name-of-fetched', ['B01'], 'libs/features/documents/document-name.ts', "(text.split(/[/\\\\]/u).at(-1) ?? '')", 'text'),
  files(
    'name-of-download',
    ['B01'],
    'apps/api/src/documents/documents.controller.ts',
    "given.replaceAll(/[/\\\\]|^\\.{1,2}$/gu, '_')",
    'given',
  ),
  files('blob-key', ['B01'], 'libs/kernel/blobs/blob-key.ts', 'if (!KEY.test(key))', 'if (false)'),
  files(
    'content-of-documents',
    ['B19'],
    'libs/features/documents/text/content.inspector.ts',
    "if (!wide && this.isBinary()) throw unsupported('binary content');",
    '',
  ),
  files(
    'known-fields-of-documents',
    ['B10'],
    'apps/api/src/documents/documents.schema.ts',
    'text: z.strictObject({ ...where,',
    'text: z.object({ ...where,',
  ),
  files('archive-entries', ['B11'], ARCHIVE, 'const MOST_ENTRIES = 5_000;', 'const MOST_ENTRIES = 5_000_000;'),
  files('archive-ratio', ['B11'], ARCHIVE, 'if (size > RATIO_FROM && size > entry.compressedSize * MOST_RATIO)', 'if (false)'),
  files('archive-repeated-name', ['B11'], ARCHIVE, 'if (names.has(entry.fileName)) throw ambiguous();', ''),
  files('archive-second-name', ['B11'], ARCHIVE, 'if (!fileName.equals(entry.fileNameRaw)) throw ambiguous();', ''),
  files('docx-entities', ['B11'], 'libs/backing/parsers/formats/docx.ts', 'if (/<!DOCTYPE|<!ENTITY/u.test(', 'if (/^$/u.test('),
  files('id-of-a-path', ['B04'], 'apps/api/src/http/id.pipe.ts', 'if (!UUID.test(value))', 'if (false)'),
  files('collection-name', ['B05'], 'apps/api/src/vectors/collections.schema.ts', 'z.string().regex(NAME,', 'z.string().regex(/^/u,'),
  files(
    'docs-files',
    ['B02'],
    'apps/api/src/docs/docs.service.ts',
    'Object.hasOwn(FILES, name) ? FILES[name] : undefined',
    "'text/plain; charset=utf-8'",
  ),
];
