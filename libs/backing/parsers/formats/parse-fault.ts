/** Why a file cannot be read; crosses the thread as its two fields. Codes are those of the closed list. */
export class ParseFault extends Error {
  readonly code: 'unprocessable' | 'too_large' | 'unsupported_media_type';

  constructor(code: ParseFault['code'], message: string) {
    super(message);
    this.name = 'ParseFault';
    this.code = code;
  }
}
