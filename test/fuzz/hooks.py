# Hooks of schemathesis for this API: who asks, which ids exist, and what is counted. Loaded by SCHEMATHESIS_HOOKS; test/fuzz/run.mjs sets the rest.
import hashlib
import json
import os
import re
import threading

import schemathesis
from schemathesis.core.parameters import ParameterLocation

NURSERY = os.environ["FUZZ_NURSERY"]
REPORT = os.environ["FUZZ_REPORT"]
# Of 100 cases with sound path parameters or a sound body, this many are led to things that exist; fewer where they are deleted, so that something is
# left for the others.
LIVE = 80
LIVE_TO_DELETE = 15
SMALL_DELETES = re.compile(r"/(points/\{id\}|feedback|members/\{user\}|invitations/\{invitation\})$")
NOBODY = "01a20b84-0000-7000-8000-000000000000"
MODELS = {"/v1/embeddings": "scripted-embedding", "/api/v1/vectors/collections": "scripted-embedding"}

lock = threading.Lock()
counts = {}
state = {"read": None, "nursery": None}


def nursery():
    """What exists now; the file is replaced whole, and read again when it was."""
    read = os.stat(NURSERY).st_mtime_ns
    if state["read"] != read:
        with open(NURSERY, encoding="utf-8") as file:
            state["nursery"] = json.load(file)
        state["read"] = read
    return state["nursery"]


def number_of(case):
    """The same for the same case in every run: choices made with it do not depend on chance."""
    body = case.body if isinstance(case.body, (dict, list, str, int, float, bool, type(None))) else type(case.body).__name__
    text = repr((case.operation.label, case.path_parameters, case.query, body))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def chosen(values, number):
    return values[number % len(values)] if values else None


def lead_path(case, number):
    """Path parameters become ids of things that exist, each below the one before it: /sessions/{id}/messages/{message}."""
    parts = case.operation.path.split("/")
    pools = nursery()["things"]
    for before, part in zip(parts, parts[1:]):
        name = re.fullmatch(r"\{(\w+)\}", part)
        if name is None:
            continue
        pool = pools.get(before, [])
        if case.method == "DELETE" and part is parts[-1] and SMALL_DELETES.search(case.operation.path) is None:
            pool = [thing for thing in pool if thing.get("mine")]
        thing = chosen(pool, number)
        if thing is None:
            return
        case.path_parameters[name[1]] = thing["id"]
        pools = thing.get("things", {})


def lead_body(case, number):
    things = nursery()["things"]
    collections = [thing["id"] for thing in things["collections"]]
    body = case.body
    if "collection" in body:
        body["collection"] = chosen(collections, number)
    if "collections" in body and isinstance(body["collections"], list):
        body["collections"] = body["collections"][:0] + [chosen(collections, number)]
    if "model" in body:
        body["model"] = MODELS.get(case.operation.path, "scripted")
    if "workspace_id" in body:
        body["workspace_id"] = things["workspaces"][0]["id"]
    if "session_id" in body:
        body["session_id"] = (chosen(things["sessions"], number) or {}).get("id", body["session_id"])


def spare_owner(case):
    """The person who asks, and the workspace in which everything is, are found by links too: what would take them away goes to nobody."""
    if case.method not in ("DELETE", "PATCH") or not re.search(r"/(users|workspaces|members)/\{\w+\}$", case.operation.path):
        return
    for name, value in (case.path_parameters or {}).items():
        if isinstance(value, str) and value.lower() in nursery()["owner"]:
            case.path_parameters[name] = NOBODY


@schemathesis.hook
def before_call(context, case, kwargs):
    lead(case)
    spare_owner(case)


def lead(case):
    meta = case.meta
    if meta is None or meta.phase.name.value == "stateful":
        return
    number = number_of(case)
    if number % 100 >= (LIVE_TO_DELETE if case.method == "DELETE" else LIVE):
        return
    if case.path_parameters and not meta.is_negative_at(ParameterLocation.PATH):
        lead_path(case, number // 100)
    if isinstance(case.body, dict) and not meta.is_negative_at(ParameterLocation.BODY):
        lead_body(case, number // 100)


@schemathesis.auth(refresh_interval=None, retry_on=[])
class Bearer:
    """The person who owns the workspace; what ends a login is done with logins of which nobody needs the other end."""

    taken = 0

    def get(self, case, context):
        if case.operation.path != "/api/v1/auth/logout":
            return nursery()["token"]
        with lock:
            Bearer.taken += 1
            return chosen(nursery()["throwaway"], Bearer.taken)

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


def write(line):
    with lock, open(REPORT, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


@schemathesis.hook
def after_call(context, case, response):
    with lock:
        key = f"{case.operation.label} {response.status_code}"
        counts[key] = counts.get(key, 0) + 1


@schemathesis.hook
def after_network_error(context, case, request):
    write({"check": "network", "operation": case.operation.label, "message": "no answer", "request": case.as_curl_command()[:4000]})


CHECKS = {
    "ServerError": "not_a_server_error",
    "UndefinedStatusCode": "status_code_conformance",
    "MissingContentType": "content_type_conformance",
    "MalformedMediaType": "content_type_conformance",
    "UndefinedContentType": "content_type_conformance",
    "MissingHeaders": "response_headers_conformance",
    "AcceptedNegativeData": "negative_data_rejection",
    "UseAfterFree": "use_after_free",
    "EnsureResourceAvailability": "ensure_resource_availability",
    "IgnoredAuth": "ignored_auth",
}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops nothing: it is the one hook that sees every failure of every phase."""
    write(
        {
            "check": CHECKS.get(type(failure).__name__, "response_schema_conformance"),
            "operation": case.operation.label,
            "status": response.status_code,
            "message": f"{failure.title}: {failure.message}"[:1500],
            "request": case.as_curl_command()[:4000],
            "answer": response.text[:1000] if response.content else "",
        }
    )
    return True


def write_counts():
    write({"counts": counts})


import atexit  # noqa: E402

atexit.register(write_counts)
