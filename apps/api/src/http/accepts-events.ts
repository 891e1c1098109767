/** Whether an `Accept` header asks for an event stream: only when it is named; any other wish gets JSON. */
export function acceptsEvents(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((part) => /^\s*text\/event-stream\s*(?:;(?!.*\bq=0(?:\.0*)?\s*(?:;|$)).*)?$/iu.test(part));
}
