/** A stretch of the text that one page holds; offsets are UTF-16 code units. */
export interface PageSpan {
  /** From 1. */
  number: number;
  start: number;
  end: number;
}

/** What was read out of a file. */
export interface ParsedText {
  text: string;
  title: string | null;
  pages: PageSpan[] | null;
  /** Whether headings and code in the text are marked as in Markdown. */
  markdown: boolean;
  /** Names of the columns when the text is rows of a table. */
  columns: string[] | null;
}

/** A file as it was stored, with what is known about it. */
export interface ParseRequest {
  bytes: Uint8Array;
  mediaType: string;
  name: string;
  /** The charset that the server named which the file came from. */
  charset?: string;
}

export type FormatParser = (request: ParseRequest) => ParsedText | Promise<ParsedText>;

/** Characters that a document may have: some eight thousand pages. */
export const MOST_CHARACTERS = 32 * 1_048_576;
