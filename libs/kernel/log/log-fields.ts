/** The only fields of an object that reach the log; anything else (bodies, headers, queries, tokens) is dropped by not being named here. */
const LOGGED_FIELDS = [
  'request_id',
  'method',
  'route',
  'status',
  'ms',
  'code',
  'job_id',
  'kind',
  'attempt',
  'epoch',
  'model',
  'document_id',
  'session_id',
  'workspace_id',
  'user_id',
  'key_id',
  'count',
  'bytes',
  'signal',
  'pid',
  'port',
  'version',
] as const;

/** The loggable part of an object: named fields that are plain values. */
export function loggedFields(source: object): Record<string, string | number | boolean> {
  const fields: Record<string, string | number | boolean> = {};
  for (const name of LOGGED_FIELDS) {
    const value = (source as Record<string, unknown>)[name];
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') fields[name] = value;
  }
  return fields;
}
