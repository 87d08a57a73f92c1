"""The page about the interface, made from its OpenAPI description; nothing in it comes from elsewhere."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

#: The files of the live page.
STATIC = Path(__file__).with_name("static")

_STREAM = """
<section class="card" id="stream">
<h2><span class="method">WS</span> <code>/v1/stream</code></h2>
<p>Frames of a camera, described as fast as the model goes; the newest frame wins.</p>
<table>
<tr><th>you send</th><td>binary: 4 bytes, the frame's number with the most significant byte first, and then a JPEG, WebP
or PNG</td></tr>
<tr><th></th><td>text: options for the frames that follow,
<code>{"score_threshold": 0.5, "max_detections": 10, "beam_size": 1, "boxes": null, "track": true}</code></td></tr>
<tr><th>you get</th><td><code>{"type": "hello", "protocol": 1, "model": {}, "limits": {}}</code> once</td></tr>
<tr><th></th><td><code>{"type": "regions", "sequence": 7, "width": 640, "height": 480, "regions": [{"id": 1, "box":
[x1, y1, x2, y2], "score": 0.9, "caption": "..."}], "timing": {"queue_ms": 0, "model_ms": 0, "total_ms": 0}, "dropped":
0}</code> for each frame that was not passed over</td></tr>
<tr><th></th><td><code>{"type": "error", "status": 422, "message": "...", "sequence": 7}</code></td></tr>
</table>
</section>"""

_EXAMPLE = """
<section class="card">
<h2>From a shell</h2>
<pre>curl -F image=@photo.jpg "ADDRESS/v1/predict?max_detections=10"</pre>
</section>"""


def docs_page(description: dict[str, Any]) -> str:
    """The HTML page of an OpenAPI description."""
    routes = [
        _route(method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    info = description["info"]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>densecap: interface</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="stylesheet" href="/theme.css"><link rel="stylesheet" href="/docs.css"></head>\n'
        f"<body><main><h1>{escape(info['title'])} {escape(info['version'])}</h1>\n"
        f"<p>{escape(info['description'])}</p>\n"
        '<p><a class="button" href="/">Live page</a> <a class="button" href="/openapi.json">openapi.json</a></p>\n'
        + "\n".join([*routes, _STREAM, _EXAMPLE])
        + "\n</main></body></html>\n"
    )


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [_row(f"<code>{escape(item['name'])}</code>", _type(item), item) for item in operation.get("parameters", [])]
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {})
    rows += [_row(f"<code>{escape(name)}</code>", "file", item) for name, item in form.get("properties", {}).items()]
    answers = [
        _row(f"<code>{escape(status)}</code>", "", item) for status, item in operation.get("responses", {}).items()
    ]
    return (
        f'<section class="card"><h2><span class="method">{escape(method.upper())}</span> '
        f"<code>{escape(path)}</code></h2>"
        f"<p>{escape(operation.get('summary', ''))}</p>"
        + (f"<h3>Options</h3><table>{''.join(rows)}</table>" if rows else "")
        + f"<h3>Answers</h3><table>{''.join(answers)}</table></section>"
    )


def _row(name: str, kind: str, item: dict[str, Any]) -> str:
    middle = f"<td>{escape(kind)}</td>" if kind else ""
    return f"<tr><th>{name}</th>{middle}<td>{escape(item.get('description', ''))}</td></tr>"


def _type(item: dict[str, Any]) -> str:
    schema = item.get("schema", {})
    bounds = [f"{word} {schema[key]}" for word, key in (("from", "minimum"), ("to", "maximum")) if key in schema]
    return " ".join([schema.get("type", ""), *bounds])
