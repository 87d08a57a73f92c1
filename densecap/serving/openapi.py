"""What /openapi.json says beyond what the routes show by themselves."""

from __future__ import annotations

from typing import Any

DESCRIPTION = (
    "Describes the regions of pictures in words. Where the server has a token, send it as Authorization: Bearer TOKEN "
    'or as token=TOKEN in the query. An error is {"error": {"status", "message"}} with one sentence.'
)


def _option(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": text}


def _answer(text: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["status", "message"],
                "properties": {"status": {"type": "integer"}, "message": {"type": "string"}},
            }
        },
    }
    return {"description": text, "content": {"application/json": {"schema": schema}}}


_FORM = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": "JPEG, PNG, WebP, GIF, BMP or TIFF; the field may come several times",
        }
    },
}

_REGION = {
    "type": "object",
    "properties": {
        "box": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        "score": {"type": "number"},
        "caption": {"type": "string"},
        "log_prob": {"type": "number"},
    },
}

_IMAGE = {
    "type": "object",
    "properties": {
        "image_id": {"type": "string"},
        "file": {"type": "string"},
        "width": {"type": "integer"},
        "height": {"type": "integer"},
        "regions": {"type": "array", "items": _REGION},
    },
}

_DOCUMENT = {
    "type": "object",
    "properties": {
        "version": {"type": "integer"},
        "model": {"type": "object"},
        "box_format": {"type": "string"},
        "images": {"type": "array", "items": _IMAGE},
        "complete": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"file": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
        "timing": {"type": "object"},
    },
}

#: ``POST /v1/predict``.
PREDICT: dict[str, Any] = {
    "parameters": [
        _option("score_threshold", {"type": "number", "minimum": 0, "maximum": 1}, "least score of a region"),
        _option("max_detections", {"type": "integer", "minimum": 1}, "most regions of a picture"),
        _option("beam_size", {"type": "integer", "minimum": 1}, "hypotheses of each caption; 1 is greedy"),
        _option("boxes", {"type": "string"}, "JSON [[x1,y1,x2,y2],...] in pixels: describe these boxes instead"),
    ],
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
    "responses": {
        "200": {
            "description": "the regions of every picture that could be read, best first; the others under errors",
            "content": {"application/json": {"schema": _DOCUMENT}},
        },
        "401": _answer("the token is missing or wrong"),
        "403": _answer("sent by a page of another site"),
        "408": _answer("the body took too long to arrive"),
        "413": _answer("the upload has too many bytes, or a picture too many pixels"),
        "415": _answer("the body is no multipart/form-data, or a file is no image"),
        "422": _answer("an option is out of range, or a picture is empty or damaged"),
        "429": _answer("too many requests from one address; Retry-After says when to come again"),
        "500": _answer("the server failed"),
        "503": _answer("the queue is full; Retry-After says when to come again"),
    },
}
