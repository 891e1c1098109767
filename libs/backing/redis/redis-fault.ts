const BY_CODE: Record<string, string> = {
  ECONNREFUSED: 'REDIS_URL: nobody listens at this address.',
  ENOTFOUND: 'REDIS_URL: this host name is not known.',
  EAI_AGAIN: 'REDIS_URL: this host name could not be looked up.',
};
const OLDEST = 7;

/** What is wrong with Redis, in one sentence without a secret: a driver's error may hold the password among the words of its command. */
export function faultOf(error: unknown): string {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (/^(WRONGPASS|NOAUTH)\b/.test(message)) return 'REDIS_URL: Redis refuses this user name or password.';
  if (/^NOPERM\b/.test(message)) return `REDIS_URL: the user lacks a right (${message.replace(/^NOPERM /, '').replace(/\.$/, '')}).`;
  if (/protocol error|unknown RESP type/i.test(message)) return 'REDIS_URL: what answers there is not Redis.';
  if (/^(LOADING|MISCONF|OOM|READONLY|MASTERDOWN|BUSY)\b/.test(message)) return `Redis refuses commands now (${message.split(' ', 1)[0]}).`;
  if (/^(CERT|ERR_TLS|DEPTH_|SELF_SIGNED|UNABLE_TO)/.test(code))
    return `REDIS_URL: the certificate of the server is not accepted (${code}).`;
  return BY_CODE[code] ?? (code === '' ? 'Redis does not answer.' : `Redis does not answer (${code}).`);
}

/** Undefined for a server that can be used; `hello` is its answer to HELLO, names and values in turn. */
export function versionFault(hello: unknown): string | undefined {
  const words = Array.isArray(hello) ? hello.map(String) : [];
  const version = words[words.indexOf('version') + 1] ?? '';
  if (Number.parseInt(version, 10) >= OLDEST) return undefined;
  return `REDIS_URL: Redis ${OLDEST} or newer is needed, and this is ${words.includes('version') ? version : 'older'}.`;
}
