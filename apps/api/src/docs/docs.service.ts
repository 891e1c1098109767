import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';

const FILES: Record<string, string> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};
const START = `window.onload = () => SwaggerUIBundle({ url: '/docs/openapi.json', dom_id: '#page', deepLinking: true, persistAuthorization: false });\n`;
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>SutazAI Platform: API</title>
<link rel="icon" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</head>
<body><div id="page"></div></body>
</html>
`;

/** The pages of the documentation. The document is made when it is first asked for, not at start. */
@Injectable()
export class DocsPages {
  private make?: () => string;
  private made?: string;

  /** How the document of this application is made; given once by whoever made the application. */
  use(make: () => string): void {
    this.make = make;
  }

  html(): string {
    return PAGE;
  }

  document(): string {
    if (this.make === undefined) throw new AppError('unavailable', 'The document is not there yet.');
    this.made ??= this.make();
    return this.made;
  }

  async asset(name: string): Promise<{ content: Buffer; mediaType: string }> {
    if (name === 'start.js') return { content: Buffer.from(START), mediaType: 'text/javascript; charset=utf-8' };
    const mediaType = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    if (mediaType === undefined) throw AppError.notFound('A file of this name');
    const folder = dirname(createRequire(__filename).resolve('swagger-ui-dist/package.json'));
    return { content: await readFile(join(folder, name)), mediaType };
  }
}
