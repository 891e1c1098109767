const COMMENTS = /--[^\n]*|\/\*[\s\S]*?\*\//g;
const TEXTS = /'(?:[^']|'')*'/g;
const BEGINS_AS_READ = /^\s*\(*\s*(select|with|values|table|show)\b/i;
/** Words that change something, take a lock that the connection holds, or count on: anywhere in a statement they make it no mere question. */
const CHANGES =
  /\b(insert|update|delete|merge|truncate|create|drop|alter|copy|call|lock|into|nextval|setval|set_config|pg_notify|pg_(try_)?advisory\w*|pg_terminate_backend|pg_cancel_backend|lo_\w+|share)\b/i;

/** True when a statement only reads, so that asking it twice is the same as asking once. In doubt it is not. */
export function readsOnly(text: string): boolean {
  const bare = text.replace(COMMENTS, ' ').replace(TEXTS, "''");
  return BEGINS_AS_READ.test(bare) && !CHANGES.test(bare);
}
