"""The application: routes, what they answer, and errors as JSON."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

import densecap
from densecap.serving.access import Access
from densecap.serving.documents import model_document
from densecap.serving.openapi import DESCRIPTION, PREDICT
from densecap.serving.pages import STATIC, docs_page
from densecap.serving.refusals import Refused
from densecap.serving.requests import answer_request
from densecap.serving.service import Service
from densecap.serving.streaming import serve_stream
from densecap.web import THEME

log = logging.getLogger(__name__)


def create_app(service: Service, token: str | None = None, locally: bool = True, hosts: Sequence[str] = ()) -> FastAPI:
    """The ASGI application around a service, which it starts and stops.

    ``token`` is what clients have to know, None for no such thing; ``locally`` and ``hosts`` as in
    ``densecap.serving.access``.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title="densecap",
        version=densecap.__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(Access, token=token, rate=service.rate, locally=locally, hosts=hosts)
    _add_errors(app)
    _add_interface(app, service)
    _add_pages(app)
    return app


def _add_interface(app: FastAPI, service: Service) -> None:
    @app.get("/v1/health", summary="Whether the server works", responses=_says("status, version, pictures described"))
    async def health() -> dict[str, Any]:
        return {"status": "ok", "version": densecap.__version__, "described": service.described}

    @app.get("/v1/model", summary="The model, its words and the limits", responses=_says("as in predictions.json"))
    async def model() -> JSONResponse:
        return JSONResponse(model_document(service))

    @app.post("/v1/predict", summary="Describe one picture or several", openapi_extra=PREDICT)
    async def predict(request: Request) -> JSONResponse:
        return JSONResponse(await answer_request(service, request))

    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        await serve_stream(service, socket)


def _says(what: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": what}}


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers=_FRESH)

    @app.get("/theme.css", include_in_schema=False)
    async def theme() -> FileResponse:
        return FileResponse(THEME, headers=_FRESH)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()), headers=_FRESH)

    @app.get("/docs.css", include_in_schema=False)
    async def docs_style() -> FileResponse:
        return FileResponse(STATIC.with_name("docs.css"), headers=_FRESH)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")


#: Browsers ask each time whether a file is still the same.
_FRESH = {"Cache-Control": "no-cache"}


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return JSONResponse(error.body(), error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        words = {404: "there is nothing at this address", 405: "this address does not take this method"}
        own = Refused(error.status_code, words.get(error.status_code, str(error.detail)), headers=error.headers)
        return JSONResponse(own.body(), own.status, own.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse(Refused(500, "the server made a mistake").body(), 500)
