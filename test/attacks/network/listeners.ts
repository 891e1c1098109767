import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTENING = '0A';

/** Addresses (`ip:port`) at which this process takes TCP connections now, as the kernel lists them. */
export function listeners(): string[] {
  const own = new Set(
    readdirSync('/proc/self/fd').map((fd) => {
      try {
        return /^socket:\[(\d+)\]$/u.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      } catch {
        return undefined;
      }
    }),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/self/net/${table}`, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/u))
      .filter((fields) => fields[3] === LISTENING && own.has(fields[9]))
      .map((fields) => addressOf(fields[1] ?? '')),
  );
}

/** Of `0100007F:1F90`, where IPv4 stands in the byte order of the machine. */
function addressOf(text: string): string {
  const [address = '', port = ''] = text.split(':');
  const bytes = address.length === 8 ? Buffer.from(address, 'hex').reverse().join('.') : `[${address}]`;
  return `${bytes}:${Number.parseInt(port, 16)}`;
}
