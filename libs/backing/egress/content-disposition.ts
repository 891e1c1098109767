/**
 * The file name of a `Content-Disposition` header (RFC 6266), as its sender wrote it; null when there is none. Nothing is to be opened by this
 * name: it may hold folders and whatever else.
 */
export function dispositionName(header: string | undefined): string | null {
  if (header === undefined) return null;
  const extended = /;\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^;\s]+)/iu.exec(header);
  if (extended !== null) {
    const name = decoded(extended[2] ?? '', extended[1]?.toLowerCase() === 'utf-8' ? 'utf-8' : 'latin1');
    if (name !== null) return name;
  }
  const quoted = /;\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"/iu.exec(header)?.[1]?.replaceAll(/\\(.)/gu, '$1');
  const name = quoted ?? /;\s*filename\s*=\s*([^;\s"]+)/iu.exec(header)?.[1];
  // Header bytes arrive as Latin-1; most senders mean UTF-8.
  return name === undefined ? null : (utf8(Buffer.from(name, 'latin1')) ?? name);
}

function decoded(text: string, charset: 'utf-8' | 'latin1'): string | null {
  const bytes = Buffer.from(
    text.replaceAll(/%([0-9a-f]{2})/giu, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  return charset === 'utf-8' ? utf8(bytes) : bytes.toString('latin1');
}

function utf8(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
