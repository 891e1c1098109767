// Guards against active content, exposure, injection, exhaustion and foreign pages.
const DOCUMENTS = 'apps/api/src/documents/documents.controller.ts';
const on = (spec) => (guard, cases, file, find, replace) => ({ guard, file, find, replace, spec: `cases/${spec}`, cases });
const browser = on('browser');
const content = on('active-content');
const exhaustion = on('exhaustion');
const exposure = on('exposure');
const injection = on('injection');

module.exports = [
  browser('listed-origins', ['Q01'], 'apps/api/src/http/cors.ts', 'origin: [...origins]', 'origin: true'),
  browser('preflight-of-listed', ['Q01'], 'apps/api/src/http/cors.ts', 'const preflight = ours &&', 'const preflight ='),
  browser(
    'sealed-prototypes',
    ['R01'],
    'apps/api/src/sealed-prototypes.ts',
    'for (const { prototype } of [Object, Array, Function]) Object.preventExtensions(prototype);',
    '',
  ),
  browser('names-of-parameters', ['R01'], 'apps/api/src/http/validation.pipe.ts', 'metadata.schema !== undefined && swallowed', 'false'),
  browser(
    'token-in-its-header',
    ['P01', 'Q02'],
    'apps/api/src/http/bearer.ts',
    "request.headers.authorization ?? ''",
    "request.headers.authorization ?? `Bearer ${new URLSearchParams(request.url.split('?')[1]).get('token') ?? request.headers['x-api-key'] ?? ''}`",
  ),

  content(
    'passive-downloads',
    ['H07'],
    DOCUMENTS,
    "PASSIVE_TYPES.includes(mediaType.split(';', 1)[0] ?? '') ? mediaType",
    'mediaType ? mediaType',
  ),
  content('attachments', ['H07'], DOCUMENTS, 'return `attachment; filename=', 'return `inline; filename='),
  content('nosniff', ['H07', 'H08'], 'apps/api/src/http/response-headers.ts', "'x-content-type-options': 'nosniff',", ''),
  content(
    'sandboxed-content',
    ['H07'],
    'apps/api/src/http/response-headers.ts',
    "frame-ancestors 'none'; sandbox",
    "frame-ancestors 'none'",
  ),
  content(
    'documentation-of-here',
    ['H08'],
    'apps/api/src/docs/docs.service.ts',
    "SwaggerUIBundle({ url: '/docs/openapi.json',",
    "SwaggerUIBundle({ queryConfigEnabled: true, url: new URLSearchParams(location.search).get('url') ?? '/docs/openapi.json',",
  ),

  exhaustion('requests-at-once', ['K16'], 'apps/api/src/http/requests-at-once.ts', 'if (count >= this.most)', 'if (count < 0)'),
  exhaustion('room-in-the-queue', ['K16'], 'libs/features/jobs/jobs.service.ts', '< MOST_OPEN) return;', '>= 0) return;'),
  exhaustion(
    'stalled-reader',
    ['K16'],
    'apps/api/src/openai/frame-writer.ts',
    'if (!raw.writableNeedDrain || raw.destroyed) return;',
    'return;',
  ),
  exhaustion(
    'counts-of-tokens',
    ['K16'],
    'apps/api/src/openai/sampling.schema.ts',
    'max_tokens: z.int().min(1).max(MOST_TOKENS)',
    'max_tokens: z.int().min(1)',
  ),
  exhaustion(
    'size-of-files',
    ['K05'],
    'libs/kernel/blobs/blob-meter.ts',
    'if (this.bytes > this.maxBytes) throw',
    'if (this.bytes < 0) throw',
  ),
  exhaustion(
    'length-of-a-password',
    ['K04'],
    'apps/api/src/auth/auth.schema.ts',
    'loginBody = z.strictObject({ email, password: z.string().min(1).max(1024)',
    'loginBody = z.strictObject({ email, password: z.string().min(1)',
  ),
  exhaustion(
    'refused-uploads',
    ['K02'],
    'apps/api/src/documents/upload-reader.service.ts',
    'if (found.content !== undefined) await this.originals.discard(found.content);',
    '',
  ),

  exposure(
    'words-of-probes',
    ['I05'],
    'apps/api/src/health/health.controller.ts',
    "live(): z.infer<typeof probeSchema> {\n    return { status: 'ok' };",
    "live(): object {\n    return { status: 'ok', pid: process.pid };",
  ),
  exposure(
    'words-of-health',
    ['I02'],
    'apps/api/src/health/health.controller.ts',
    'return healthView(summary);',
    'return { ...healthView(summary), node: process.version };',
  ),

  injection(
    'fields-of-filters',
    ['J13'],
    'libs/features/vectors/filter/parse-filter.ts',
    'if (!METADATA_FIELD.test(key)) throw',
    'if (false) throw',
  ),
  injection('scalar-texts', ['J10'], 'apps/api/src/http/validation.pipe.ts', 'return super.transform(value, metadata);', 'return value;'),
  injection(
    'keys-by-hash',
    ['J01'],
    'libs/features/auth/logins/secret-token.ts',
    "return createHash('sha256').update(secret, 'utf8').digest();",
    "return Buffer.from(secret, 'utf8');",
  ),
];
