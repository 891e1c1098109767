/** The data directory cannot be used; `exitCode` is of sysexits.h: 75 in use by another process, 73 not writable, 78 made by a newer release. */
export class DirectoryError extends Error {
  constructor(
    message: string,
    readonly exitCode: 73 | 75 | 78,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'DirectoryError';
  }
}
