import { readFileSync } from 'node:fs';
import { ConfigError } from './config-error';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads settings out of an environment and collects every fault instead of stopping at the first. An empty value counts as unset.
 * After a fault the value answered is the default, or undefined: `finish` throws before anybody uses it.
 */
export class SettingReader {
  private readonly faults: string[] = [];

  constructor(private readonly environment: Environment) {}

  fault(name: string, message: string): void {
    this.faults.push(`${name}: ${message}`);
  }

  /** Throws a `ConfigError` that lists every fault found. */
  finish(): void {
    if (this.faults.length > 0) throw new ConfigError(this.faults);
  }

  text(name: string): string | undefined {
    const value = this.environment[name]?.trim();
    return value === undefined || value === '' ? undefined : value;
  }

  /** `NAME`, or the content of the file that `NAME_FILE` names; one of the two. Values are taken as they are, but for a last line end. */
  secret(name: string): string | undefined {
    const direct = this.environment[name] === '' ? undefined : this.environment[name];
    const file = this.text(`${name}_FILE`);
    if (file === undefined) return direct;
    if (direct !== undefined) {
      this.fault(name, `is set together with ${name}_FILE: set one of them.`);
      return direct;
    }
    return this.secretFile(name, file);
  }

  integer(name: string, range: { least: number; most: number }): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= range.least && number <= range.most) return number;
    this.fault(name, `must be a whole number from ${range.least} to ${range.most}, not "${value}".`);
    return undefined;
  }

  choice<const Value extends string>(name: string, values: readonly Value[]): Value | undefined {
    const value = this.text(name);
    const found = values.find((candidate) => candidate === value);
    if (value !== undefined && found === undefined) this.fault(name, `must be one of ${values.join(', ')}, not "${value}".`);
    return found;
  }

  /** Values separated by commas; `valid` says of each what is wrong with it. */
  list(name: string, wrong: (value: string) => string | undefined): string[] | undefined {
    const values = this.text(name)
      ?.split(',')
      .map((value) => value.trim())
      .filter((value) => value !== '');
    for (const value of values ?? []) {
      const message = wrong(value);
      if (message !== undefined) this.fault(name, message);
    }
    return values;
  }

  /** A URL of one of `schemes`; the fault never repeats the value, which may hold a password. */
  url(name: string, value: string | undefined, schemes: readonly string[]): string | undefined {
    if (value === undefined) return undefined;
    if (URL.canParse(value) && schemes.includes(new URL(value).protocol)) return value;
    this.fault(name, `must be a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}.`);
    return undefined;
  }

  private secretFile(name: string, file: string): string | undefined {
    try {
      const content = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      if (content !== '') return content;
      this.fault(`${name}_FILE`, `the file ${file} is empty.`);
    } catch (error) {
      this.fault(`${name}_FILE`, `the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`);
    }
    return undefined;
  }
}
