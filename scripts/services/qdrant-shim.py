"""Qdrant's storage engine behind the part of Qdrant's REST interface that the product and its tests use.

usage: qdrant-shim.py DIRECTORY PORT, with QDRANT_KEY and QDRANT_READ_ONLY_KEY in the environment. One shard of the engine for each collection;
statuses and error bodies are those of the server, 1.18. A write is on disk when it is answered.
"""

import json
import os
import re
import shutil
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import qdrant_edge as engine

VERSION = "1.18.3"
LARGEST_BODY = 32 * 1024 * 1024
OPEN_PATHS = ("/", "/healthz", "/readyz", "/livez")
READING = re.compile(r"/collections/[^/]+/points/(query|scroll|count)|/collections/[^/]+/points")
DISTANCES = {name: getattr(engine.Distance, name) for name in ("Cosine", "Dot", "Euclid", "Manhattan")}
DONE = {"operation_id": 0, "status": "completed"}


class Refusal(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


def point_id(value):
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        return str(uuid.UUID(value))
    except (AttributeError, TypeError, ValueError):
        words = "valid values are either an unsigned integer or a UUID"
        raise Refusal(400, f"Format error in JSON body: value {value} is not a valid point ID, {words}") from None


def match_of(match):
    kinds = {"value": engine.MatchValue, "any": engine.MatchAny, "except": engine.MatchExcept, "text": engine.MatchText}
    for kind, make in kinds.items():
        if kind in match:
            if any(isinstance(each, float) for each in (match[kind] if isinstance(match[kind], list) else [match[kind]])):
                raise Refusal(400, "Format error in JSON body: data did not match any variant of untagged enum Match")
            return make(match[kind])
    raise Refusal(400, "Format error in JSON body: data did not match any variant of untagged enum Match")


def condition_of(condition):
    if "has_id" in condition:
        return engine.HasIdCondition({point_id(each) for each in condition["has_id"]})
    if "is_null" in condition:
        return engine.IsNullCondition(condition["is_null"]["key"])
    if "is_empty" in condition:
        return engine.IsEmptyCondition(condition["is_empty"]["key"])
    if "match" in condition:
        return engine.FieldCondition(key=condition["key"], match=match_of(condition["match"]))
    if "range" in condition:
        return engine.FieldCondition(key=condition["key"], range=engine.RangeFloat(**condition["range"]))
    return filter_of(condition)


def filter_of(body):
    if not body:
        return None
    unknown = set(body) - {"must", "should", "must_not"}
    if unknown:
        raise Refusal(400, f"Format error in JSON body: unknown field `{unknown.pop()}`")
    parts = {}
    for part, conditions in body.items():
        listed = conditions if isinstance(conditions, list) else [conditions]
        parts[part] = [condition_of(each) for each in listed]
    return engine.Filter(**parts)


def limit_of(body, default):
    limit = body.get("limit", default)
    if not isinstance(limit, int) or limit < 1:
        raise Refusal(422, f"Validation error in JSON body: [limit: value {limit} invalid, must be 1 or larger]")
    return limit


def payload_wish(body, default):
    wish = body.get("with_payload", default)
    return engine.PayloadSelector.Include(wish) if isinstance(wish, list) else bool(wish)


def shown(point, **more):
    record = {"id": point.id if isinstance(point.id, int) else str(point.id), **more}
    if point.payload is not None:
        record["payload"] = point.payload
    if point.vector is not None:
        record["vector"] = point.vector
    return record


class Collections:
    """The collections of one directory, and what can be done to one of them."""

    def __init__(self, directory):
        self.directory = directory
        self.list = os.path.join(directory, "collections.json")
        self.lock = threading.RLock()
        self.shards = {}
        self.forms = {}
        os.makedirs(directory, exist_ok=True)
        if os.path.exists(self.list):
            with open(self.list, encoding="utf-8") as file:
                self.forms = json.load(file)
        for name in self.forms:
            self.shards[name] = engine.EdgeShard.load(self.place(name))

    def place(self, name):
        return os.path.join(self.directory, name)

    def keep(self):
        """A list that is half written is never found at the next start."""
        with open(self.list + ".new", "w", encoding="utf-8") as file:
            json.dump(self.forms, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.list + ".new", self.list)

    def create(self, name, form):
        if name in self.forms:
            raise Refusal(409, f"Wrong input: Collection `{name}` already exists!")
        vectors = form.get("vectors") or {}
        size, distance = vectors.get("size"), vectors.get("distance")
        if not isinstance(size, int) or not 1 <= size <= 65536 or distance not in DISTANCES:
            raise Refusal(400, "Format error in JSON body: vectors need a size of 1..65536 and a known distance")
        shutil.rmtree(self.place(name), ignore_errors=True)
        os.makedirs(self.place(name))
        parameters = engine.EdgeVectorParams(size=size, distance=DISTANCES[distance])
        self.shards[name] = engine.EdgeShard.create(self.place(name), engine.EdgeConfig(vectors=parameters))
        self.forms[name] = form
        self.keep()
        return True

    def remove(self, name):
        if name not in self.forms:
            return False
        del self.forms[name]
        self.keep()
        self.shards.pop(name).close()
        shutil.rmtree(self.place(name), ignore_errors=True)
        return True

    def shard(self, name):
        if name not in self.shards:
            raise Refusal(404, f"Not found: Collection `{name}` doesn't exist!")
        return self.shards[name]

    def information(self, name):
        shard = self.shard(name)
        return {
            "status": "green",
            "optimizer_status": "ok",
            "points_count": shard.count(engine.CountRequest(exact=True)),
            "config": {"params": {"vectors": self.forms[name]["vectors"]}},
        }

    def update(self, name, operation):
        shard = self.shard(name)
        shard.update(operation)
        shard.flush()
        return DONE

    def upsert(self, name, body):
        self.shard(name)
        points = body.get("points")
        if not points:
            raise Refusal(400, "Bad request: Empty update request")
        made = [engine.Point(point_id(each["id"]), each["vector"], each.get("payload") or {}) for each in points]
        return self.update(name, engine.UpdateOperation.upsert_points(made))

    def delete(self, name, body):
        if "points" in body:
            return self.update(name, engine.UpdateOperation.delete_points([point_id(each) for each in body["points"]]))
        return self.update(name, engine.UpdateOperation.delete_points_by_filter(filter_of(body["filter"])))

    def index(self, name, body):
        kinds = {"keyword": engine.PayloadSchemaType.Keyword}
        schema = kinds.get(body.get("field_schema"))
        return DONE if schema is None else self.update(name, engine.UpdateOperation.create_field_index(body["field_name"], schema))

    def query(self, name, body):
        request = engine.QueryRequest(
            limit=limit_of(body, 10),
            offset=body.get("offset"),
            query=engine.Query.Nearest(body["query"]),
            filter=filter_of(body.get("filter")),
            score_threshold=body.get("score_threshold"),
            with_payload=payload_wish(body, False),
            with_vector=body.get("with_vector", False),
            params=engine.SearchParams(exact=bool((body.get("params") or {}).get("exact", False))),
        )
        return {"points": [shown(each, version=0, score=each.score) for each in self.shard(name).query(request)]}

    def count(self, name, body):
        return {"count": self.shard(name).count(engine.CountRequest(exact=True, filter=filter_of(body.get("filter"))))}

    def scroll(self, name, body):
        request = engine.ScrollRequest(
            offset=body.get("offset"),
            limit=limit_of(body, 10),
            filter=filter_of(body.get("filter")),
            with_payload=payload_wish(body, True),
            with_vector=body.get("with_vector", False),
        )
        points, following = self.shard(name).scroll(request)
        offset = following if following is None or isinstance(following, int) else str(following)
        return {"points": [shown(each) for each in points], "next_page_offset": offset}

    def retrieve(self, name, body):
        ids = [point_id(each) for each in body["ids"]]
        found = self.shard(name).retrieve(ids, payload_wish(body, True), body.get("with_vector", False))
        return [shown(each) for each in found]

    def answer(self, method, path, body):
        if path == "/collections" and method == "GET":
            return {"collections": [{"name": name} for name in self.forms]}
        parts = re.fullmatch(r"/collections/([A-Za-z0-9_-]{1,255})(/.*)?", path)
        if parts is None:
            raise Refusal(404, "Not found")
        name, rest = parts[1], parts[2] or ""
        routes = {
            ("GET", "/exists"): lambda: {"exists": name in self.forms},
            ("PUT", ""): lambda: self.create(name, body),
            ("DELETE", ""): lambda: self.remove(name),
            ("GET", ""): lambda: self.information(name),
            ("PUT", "/index"): lambda: self.index(name, body),
            ("PUT", "/points"): lambda: self.upsert(name, body),
            ("POST", "/points"): lambda: self.retrieve(name, body),
            ("POST", "/points/delete"): lambda: self.delete(name, body),
            ("POST", "/points/query"): lambda: self.query(name, body),
            ("POST", "/points/count"): lambda: self.count(name, body),
            ("POST", "/points/scroll"): lambda: self.scroll(name, body),
        }
        if (method, rest) not in routes:
            raise Refusal(404, "Not found")
        with self.lock:
            return routes[method, rest]()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    disable_nagle_algorithm = True
    collections = None
    key = os.environ.get("QDRANT_KEY", "")
    read_only_key = os.environ.get("QDRANT_READ_ONLY_KEY", "")

    def log_message(self, *_):
        """Requests are not logged."""

    def send(self, status, answer):
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refusal(self, path):
        """Status and words where the key does not allow the request."""
        given = self.headers.get("api-key")
        reads = self.command == "GET" or (self.command == "POST" and READING.fullmatch(path))
        if self.key == "" or given == self.key:
            return None
        if given is not None and given == self.read_only_key:
            return None if reads else (403, "Forbidden: Global manage access is required")
        return (401, "Must provide an API key or an Authorization bearer token")

    def handle_request(self):
        path = self.path.split("?")[0]
        length = int(self.headers.get("content-length") or 0)
        if length > LARGEST_BODY:
            # As the server does: the connection is cut, not the body read.
            self.close_connection = True
            return self.send(400, {"status": {"error": f"Payload error: JSON payload ({length} bytes) is larger than allowed"}, "time": 0.0})
        raw = self.rfile.read(length) if length else b""
        if path in OPEN_PATHS:
            return self.send(200, {"title": "qdrant - vector search engine", "version": VERSION})
        refused = self.refusal(path)
        if refused is not None:
            return self.send(refused[0], refused[1])
        try:
            self.send(200, {"result": self.collections.answer(self.command, path, json.loads(raw) if raw else {}), "status": "ok", "time": 0.0})
        except Refusal as error:
            self.send(error.status, {"status": {"error": error.message}, "time": 0.0})
        except Exception as error:  # what the engine refuses is the caller's fault
            self.send(400, {"status": {"error": f"Wrong input: {error}"}, "time": 0.0})

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = handle_request


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Handler.collections = Collections(sys.argv[1])
    Server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
