/** Encodings of the character maps that PDF defines by name, by a sign in the name, with the ranges of their codes. */
const ENCODINGS: [RegExp, string, [string, string][]][] = [
  [
    /RKSJ-[HV]$/u,
    'shift_jis',
    [
      ['00', '80'],
      ['a0', 'df'],
      ['8140', '9ffc'],
      ['e040', 'fcfc'],
    ],
  ],
  [
    /^EUC-[HV]$/u,
    'euc-jp',
    [
      ['00', '80'],
      ['8ea0', '8edf'],
      ['a1a1', 'fefe'],
    ],
  ],
  [
    /^GB(?:K|-EUC|pc-EUC)/u,
    'gb18030',
    [
      ['00', '80'],
      ['8140', 'fefe'],
    ],
  ],
  [
    /^(?:B5pc|ETen|HKscs)/u,
    'big5',
    [
      ['00', '80'],
      ['8740', 'fefe'],
    ],
  ],
  [
    /^KSC/u,
    'euc-kr',
    [
      ['00', '80'],
      ['8141', 'fefe'],
    ],
  ],
];
const UNICODE = /^Uni(?:GB|CNS|JIS|JISX0213|JIS2004|KS)\w*-(?:UCS2|UTF16)(?:-HW)?-[HV]$/u;
const TO_UNICODE = /^Adobe-(?:GB1|CNS1|Japan1|Korea1)-UCS2$/u;

/**
 * Makes the character maps that a PDF with Chinese, Japanese or Korean text names but does not hold (ISO 32000-1, 9.7.5.2), as text. Their glyph
 * numbers are replaced by Unicode itself, since nothing is drawn: a code means the character that the encoding's decoder gives for it.
 */
export class CharacterMaps {
  /** Maps that were asked for and cannot be made. */
  readonly missing = new Set<string>();
  private made = false;

  get(name: string): Uint8Array {
    const map = this.mapOf(name);
    if (map === undefined) {
      this.missing.add(name);
      throw new Error(`There is no character map ${name}.`);
    }
    return new TextEncoder().encode(`/CMapName /${name} def\n/WMode ${name.endsWith('-V') ? 1 : 0} def\n${map}\nendcmap\n`);
  }

  private mapOf(name: string): string | undefined {
    // Glyph numbers of the font itself, from before any map of ours, would mean other characters.
    if (TO_UNICODE.test(name))
      return this.made ? `${codes([['0000', 'ffff']])}1 beginbfrange\n<0000> <ffff> <0000>\nendbfrange` : undefined;
    const [, label, ranges] = ENCODINGS.find(([pattern]) => pattern.test(name)) ?? [];
    if (label === undefined && !UNICODE.test(name)) return undefined;
    this.made = true;
    if (label !== undefined && ranges !== undefined) return codes(ranges) + characters(label, ranges);
    return `${codes([['0000', 'ffff']])}1 begincidrange\n<0000> <ffff> 0\nendcidrange`;
  }
}

function codes(ranges: [string, string][]): string {
  return `${ranges.length} begincodespacerange\n${ranges.map(([first, last]) => `<${first}> <${last}>`).join('\n')}\nendcodespacerange\n`;
}

function characters(label: string, ranges: [string, string][]): string {
  const decoder = new TextDecoder(label);
  const lines: string[] = [];
  for (const [first, last] of ranges) {
    for (const code of codesIn(first, last)) {
      const text = decoder.decode(Buffer.from(code, 'hex'));
      if (text.length === 1 && text !== '\ufffd') lines.push(`<${code}> ${text.charCodeAt(0)}`);
    }
  }
  return `${lines.length} begincidchar\n${lines.join('\n')}\nendcidchar`;
}

/** Every code of one byte, or of two whose bytes lie between those of the ends. */
function* codesIn(first: string, last: string): Generator<string> {
  const [low, high] = [Buffer.from(first, 'hex'), Buffer.from(last, 'hex')];
  for (let lead = low[0] ?? 0; lead <= (high[0] ?? 0); lead += 1) {
    if (low.length === 1) yield hex(lead);
    else for (let trail = low[1] ?? 0; trail <= (high[1] ?? 0); trail += 1) yield hex(lead) + hex(trail);
  }
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
