"""The application: routes, web page, metrics and error responses.

Also what ``GET /v1/model`` answers.
"""

import logging
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from emotion_detection import __version__, pretrained
from emotion_detection.errors import InputError
from emotion_detection.inference import EmotionDetector
from emotion_detection.inference.model import Model
from emotion_detection.io.plain_values import parse_json
from emotion_detection.serving import schemas
from emotion_detection.serving.built_page import find_page_folder
from emotion_detection.serving.error_responses import PROBLEM_JSON, Problem, describe_failure
from emotion_detection.serving.image_jobs import log_failure
from emotion_detection.serving.prometheus_metrics import ROUTES
from emotion_detection.serving.routes import add_routes
from emotion_detection.serving.server_settings import Settings
from emotion_detection.serving.web_page import add_page
from emotion_detection.serving.workers import Service
from emotion_detection.training_record import SYNTHETIC_NOTE

_OF_THE_RECORD = ("name", "version", "parameters", "figures", "licence", "rights")
_OF_ITS_USE = ("intended_use", "limits")
_CARD = "card.md"


def describe_model(detector: EmotionDetector, settings: Settings) -> dict[str, Any]:
    """Return the answer of ``GET /v1/model``.

    Args:
        detector: the detector.
        settings: the limits, some of which clients should know.

    Raises:
        InputError: the model's metadata, or the shipped model's record, cannot be read.
    """
    shipped = pretrained.is_shipped(detector.model.path)
    own_limits = {"limits": SYNTHETIC_NOTE} if detector.is_synthetic else {}
    return {
        **(_of_record() if shipped else _of_metadata(detector.model)),
        **own_limits,
        "shipped": shipped,
        "sha256": detector.model.sha256,
        "label_set": detector.label_set,
        "labels": list(detector.labels),
        "label_sets": {name: list(labels) for name, labels in detector.label_sets.items()},
        "input": detector.input._asdict(),
        "intensity": detector.has_intensity,
        "card": _card() if shipped else None,
        "server": {
            name: getattr(settings, name) for name in ("max_bytes", "max_pixels", "max_pictures")
        },
    }


def _of_record() -> dict[str, Any]:
    record = pretrained.read_record()
    return {name: record.get(name) for name in (*_OF_THE_RECORD, *_OF_ITS_USE)}


def _of_metadata(model: Model) -> dict[str, Any]:
    """Return the metadata of an ONNX file of this project, with the fields of the record."""
    path, metadata = model.path, model.metadata
    try:
        metrics = parse_json(metadata.get("metrics", "{}"))
        if not isinstance(metrics, dict):
            raise ValueError("no object")
    except ValueError:
        raise InputError(f"{path}: its metadata cannot be understood: metrics") from None
    known = {"name": path.parent.name, "version": metadata.get("version"), "figures": [metrics]}
    return {**dict.fromkeys((*_OF_THE_RECORD, *_OF_ITS_USE)), **known}


def _card() -> str | None:
    card = Path(str(resources.files(pretrained))) / _CARD
    return card.read_text(encoding="utf-8") if card.is_file() else None


ACCESS = "emotion.access"
"""Name of the logger with one line per request."""
_NAMED = 20
"""Maximum characters of an unknown method in an error message."""
_METHODS = {"GET", "HEAD", "POST", "OPTIONS"}


def create_app(service: Service, detector: EmotionDetector, page: Path | None = None) -> FastAPI:
    """Return the application.

    Args:
        service: the state of the server.
        detector: the detector.
        page: folder of the built page; None: that of the package.

    Raises:
        InputError: a file of the model or of the networks cannot be read.
    """
    app = FastAPI(
        title="Emotion detection",
        version=__version__,
        summary="Detects faces and classifies their expressions; images are not kept",
        docs_url=None,  # it would load scripts from another host
        redoc_url=None,
        lifespan=service.running,
        exception_handlers={
            Problem: _of_problem,
            HTTPException: _of_http,
            RequestValidationError: _of_validation,
        },
    )
    add_routes(app, service, describe_model(detector, service.settings))
    add_page(app, find_page_folder() if page is None else page, detector)
    _with_problem_schema(app)
    if service.settings.allow_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(service.settings.allow_origin),
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type"],
        )
    app.add_middleware(Watch, service=service)
    return app


def _with_problem_schema(app: FastAPI) -> None:
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        document["components"]["schemas"]["Problem"] = schemas.PROBLEM
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _said(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers, PROBLEM_JSON)


async def _of_problem(_: Request, error: Exception) -> Response:
    return _said(cast(Problem, error))


async def _of_http(request: Request, error: Exception) -> Response:
    error = cast(HTTPException, error)
    headers: Mapping[str, str] = error.headers or {}
    detail = str(error.detail)
    if error.status_code == 405 and "Allow" in headers:
        detail = f"{request.method[:_NAMED]} is not allowed here; use {headers['Allow']}"
    return _said(Problem(error.status_code, detail, headers))


async def _of_validation(_: Request, error: Exception) -> Response:
    wrong = cast(RequestValidationError, error).errors()
    told = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in wrong)
    return _said(Problem(422, told))


class Watch:
    """Outermost middleware: counts requests, and answers if something fails.

    Args:
        app: the wrapped application.
        service: the service with the metrics.
    """

    def __init__(self, app: Any, service: Service) -> None:
        self._app, self._service = app, service
        self._log = logging.getLogger(ACCESS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = perf_counter(), 0
        self._service.accepted += 1

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-content-type-options", b"nosniff"))
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            log_failure(error)
            self._service.figures.failed("failure")
            if status:  # after a partial answer the server closes the connection
                raise
            await _said(describe_failure())(scope, receive, sending)
        finally:
            self._service.finished += 1
            method = scope["method"] if scope["method"] in _METHODS else "other"
            seconds = perf_counter() - start
            self._service.figures.answered(method, _route(scope["path"]), status, seconds)
            self._log.info(
                "%s %s %d %.1f ms", method, _route(scope["path"]), status, 1000 * seconds
            )


def _route(path: str) -> str:
    """Return the label of a path in the metrics: one of a few names."""
    if path in ROUTES:
        return path
    return "page" if path == "/" or path.startswith(("/assets/", "/models/")) else "other"
