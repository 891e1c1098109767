// What is wrong with an answer.
import { OUTSIDERS } from './callers.mjs';

/** Without a token these are open on the same machine. */
const OPEN_HERE = ['GET /api/v1/health', 'GET /api/v1/health/services/{name}', 'GET /health/detailed'];

/** Every fault of one answer as { check, message }. `asked` is from requests.mjs; `answer` { status, type, headers, text }. */
export function judge(operation, asked, answer) {
  const faults = [];
  const fault = (check, message) => faults.push({ check, message });
  if (answer.status >= 500) fault('not_a_server_error', `answered ${answer.status}`);
  access(operation, asked, answer, fault);
  if (asked.mustFail !== undefined && answer.status < 400) fault('negative_data_rejection', `accepted ${asked.mustFail}`);
  if (answer.headers['x-request-id'] === undefined) fault('response_headers_conformance', 'has no x-request-id');
  if (answer.headers['x-content-type-options'] !== 'nosniff') fault('response_headers_conformance', 'is not nosniff');
  if (!operation.answers.has(answer.status)) fault('status_code_conformance', `status ${answer.status} is not documented`);
  else content(operation.answers.get(answer.status), answer, fault);
  return faults;
}

function access(operation, asked, answer, fault) {
  if (operation.private && OUTSIDERS.includes(asked.caller) && answer.status !== 401) {
    const open = asked.caller === 'none' && OPEN_HERE.includes(operation.label);
    if (!open) fault('ignored_auth', `answered ${answer.status} to ${asked.caller}`);
  }
  if (asked.caller !== 'stranger') return;
  if (asked.foreign && answer.status < 400) fault('foreign_access', `answered ${answer.status} to a stranger`);
  if (answer.text.includes(asked.canary)) fault('foreign_access', 'a text of another workspace came back');
}

function content(types, answer, fault) {
  if (types === undefined) return;
  if (answer.type === '' && answer.text === '') return;
  if (!types.has(answer.type)) return fault('content_type_conformance', `type "${answer.type}" is not documented`);
  const validate = types.get(answer.type);
  if (validate === undefined || !answer.type.endsWith('json')) return;
  let value;
  try {
    value = JSON.parse(answer.text);
  } catch {
    return fault('response_schema_conformance', 'is not JSON');
  }
  if (!validate(value)) fault('response_schema_conformance', `${validate.errors[0].instancePath} ${validate.errors[0].message}`);
}
