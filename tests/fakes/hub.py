"""A Hugging Face hub in miniature: models that can be fetched by their revisions, and uploaded by commits."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Hub:
    """``models`` by name, their files by revision and path; ``main`` is what is fetched without a revision."""

    models: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    address: str = ""

    def commit_of(self, name: str, revision: str) -> str:
        return hashlib.sha1(f"{name}@{revision}{sorted(self.models[name][revision])}".encode()).hexdigest()

    def revision_of(self, name: str, wanted: str) -> str | None:
        known = self.models.get(name, {})
        return next((own for own in known if wanted in (own, self.commit_of(name, own))), None)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        self._get(with_body=True)

    def do_HEAD(self) -> None:
        self._get(with_body=False)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(("POST", path))
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            self.hub.models.setdefault(name, {}).setdefault("main", {})
            return self._json({"url": f"{self.hub.address}/{name}", "name": name, "id": name})
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if match := re.fullmatch(r"/api/models/(.+?)/preupload/(.+)", path):
            files = json.loads(body)["files"]
            listed = [{"path": item["path"], "uploadMode": "regular", "shouldIgnore": False} for item in files]
            return self._json({"files": listed})
        if match := re.fullmatch(r"/api/models/(.+?)/commit/(.+)", path):
            return self._commit(match[1], match[2], body)
        return self.send_error(404)

    def _commit(self, name: str, revision: str, body: bytes) -> None:
        files = self.hub.models[name][revision]
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
        commit = self.hub.commit_of(name, revision)
        self._json({"commitUrl": f"{self.hub.address}/{name}/commit/{commit}", "commitOid": commit, "success": True})

    def _get(self, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path))
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self._listing(match[1], match[2] or "main")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
            revision = self.hub.revision_of(match[1], match[2])
            files = self.hub.models[match[1]][revision] if revision else {}
            listed = [_entry(name, content) for name, content in files.items()]
            return self._json(listed)
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(match[1], match[2], match[3], with_body)
        return self.send_error(404)

    def _listing(self, name: str, wanted: str) -> None:
        revision = self.hub.revision_of(name, wanted)
        if revision is None:
            what = "RevisionNotFound" if name in self.hub.models else "RepoNotFound"
            return self._answer(404, b"", {"X-Error-Code": what, "X-Error-Message": f"{what}: {name}"})
        files = self.hub.models[name][revision]
        siblings = [{"rfilename": path, "size": len(content)} for path, content in files.items()]
        return self._json(
            {"id": name, "modelId": name, "sha": self.hub.commit_of(name, revision), "siblings": siblings}
        )

    def _file(self, name: str, wanted: str, path: str, with_body: bool) -> None:
        revision = self.hub.revision_of(name, wanted)
        content = None if revision is None else self.hub.models[name][revision].get(path)
        if content is None or revision is None:
            return self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": self.hub.commit_of(name, revision),
        }
        return self._answer(200, content, headers, with_body)

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, content: bytes, headers: dict[str, str], with_body: bool = True) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


def _entry(name: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


class HubServer:
    """``with HubServer() as hub``: answers at ``hub.address``."""

    def __enter__(self) -> Hub:
        self.hub = Hub()
        handler = type("Handler", (_Handler,), {"hub": self.hub})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.hub.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self.hub

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
