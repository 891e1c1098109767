/** The ETag of a version. */
export function entityTag(version: number): string {
  return `"${version}"`;
}

/**
 * The versions that an `If-Match` header accepts; undefined when it accepts any (absent or `*`). Weak tags and foreign ones accept none, as
 * RFC 9110 wants it.
 */
export function acceptedVersions(header: string | undefined): number[] | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  return header.split(',').flatMap((tag) => {
    const version = /^"(\d{1,9})"$/u.exec(tag.trim())?.[1];
    return version === undefined ? [] : [Number(version)];
  });
}

/** The header as the API document describes it. */
export const IF_MATCH = { name: 'If-Match', required: false, description: 'The ETag that was read; another one by now gives 412.' };
