"""A local web server with the habits of real ones: ranges, ETags, broken connections, errors, changed files."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Files:
    """What is served: path -> content. ``cut`` breaks the next answers after so many bytes."""

    contents: dict[str, bytes] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    etags: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # (path, Range)
    sent: int = 0
    address: str = ""


class _Handler(BaseHTTPRequestHandler):
    files: Files

    def do_GET(self) -> None:
        files, wanted = self.files, self.headers.get("Range")
        files.requests.append((self.path, wanted))
        content = files.contents.get(self.path)
        if self.path in files.errors or content is None:
            self.send_error(files.errors.get(self.path, 404))
            return
        tag = f'"{hash(content)}"'
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and files.ranges else 0
        if self.headers.get("If-Range") not in (None, tag):
            start = 0
        if start >= len(content) and start:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if files.etags:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if files.cut:
            body = body[: files.cut.pop(0)]
        files.sent += len(body)
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


class FileServer:
    """``with FileServer() as files``: serves ``files.contents`` at ``files.address``."""

    def __enter__(self) -> Files:
        files = Files()
        handler = type("Handler", (_Handler,), {"files": files})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        files.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return files

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
