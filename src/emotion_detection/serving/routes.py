"""The routes of the API."""

import json
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from emotion_detection.serving import schemas
from emotion_detection.serving.connection import STATE, Connection
from emotion_detection.serving.error_responses import PROBLEM_JSON, Problem
from emotion_detection.serving.image_jobs import JSON, Job
from emotion_detection.serving.request_body import drop_rest, parse_content_type
from emotion_detection.serving.workers import Service

_DRAWN = ("image/jpeg", "image/png", "image/webp")
"""Media types of annotated images; the first is the default."""
_NAMED = 80
"""Maximum characters of an unknown name in an error message."""
_OF_THE_SERVER = (
    *("model", "labels", "views", "prior", "min_score", "min_face_size", "min_confidence"),
    *("certain", "detection_size"),
)
"""Options of ``emotion predict`` that a server has for all requests, not for one."""
_NOT_KEPT = {"Cache-Control": "no-store"}


class Refusal(Response):
    """A problem that is sent before the complete body was read."""

    def __init__(self, problem: Problem, more: bool) -> None:
        headers = {**_NOT_KEPT, **problem.headers, **({"Connection": "close"} if more else {})}
        super().__init__(problem.body(), problem.status, headers, PROBLEM_JSON)
        self._more = more

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the problem, and receive the rest of the body."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        if self._more:
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            await drop_rest(receive)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": self.body})


def add_routes(app: FastAPI, service: Service, about: dict[str, Any]) -> None:
    """Add all routes but those of the page.

    Args:
        app: the application.
        service: the state of the server.
        about: the answer about the model.
    """
    _add_images(app, service)
    _add_health(app, service)
    model = json.dumps(about).encode()

    @app.get("/v1/model", summary="The model: labels, input, metrics, card", tags=["model"])
    async def model_route() -> Response:
        return Response(model, media_type=JSON)

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        tags=["operation"],
        response_class=PlainTextResponse,
    )
    async def metrics_route() -> Response:
        service.workers.watch()
        return Response(service.figures.text(), media_type="text/plain; version=0.0.4")


def _add_images(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/predict",
        summary="Detect the faces of images and classify their expressions",
        description="The body is an image, or multipart with several. One answers a result, "
        "several answer `results`, in their order.",
        tags=["pictures"],
        response_model=None,
        responses=schemas.responses(*_DRAWN),
        openapi_extra=schemas.BODY,
    )
    async def predict_route(request: Request, annotate: bool = False) -> Response:
        """Answer images.

        Args:
            request: the request with the images.
            annotate: answer with the annotated image.
        """
        return await _answer(request, service, False, _drawn_as(request) if annotate else None)

    @app.post(
        "/v1/classify",
        summary="Classify the expressions of face crops: each image is one face",
        tags=["pictures"],
        response_model=None,
        responses=schemas.responses(),
        openapi_extra=schemas.BODY,
    )
    async def classify_route(request: Request) -> Response:
        return await _answer(request, service, True, None)


def _add_health(app: FastAPI, service: Service) -> None:
    not_well: dict[int | str, dict[str, Any]] = {
        503: {"description": "It is not", "content": {JSON: {"schema": {"type": "object"}}}}
    }

    @app.get("/health/live", summary="Is it alive?", tags=["operation"], responses=not_well)
    async def live_route() -> Response:
        return _health(service.live, "live")

    @app.get("/health", include_in_schema=False)
    @app.get(
        "/health/ready",
        summary="May requests be sent here?",
        tags=["operation"],
        responses=not_well,
    )
    async def ready_route() -> Response:
        return _health(service.ready, "ready")


def _health(well: bool, word: str) -> Response:
    status = word if well else f"not {word}"
    content = json.dumps({"status": status}).encode()
    return Response(content, 200 if well else 503, _NOT_KEPT, JSON)


def _drawn_as(request: Request) -> str:
    accepted = request.headers.get("accept", "")
    return next((kind for kind in _DRAWN if kind in accepted), _DRAWN[0])


def _check_options(request: Request) -> None:
    """Reject query options that the route does not have."""
    known = [option.alias for option in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            told = (
                f"query option {name[:_NAMED]!r} is unknown; allowed: {', '.join(known) or 'none'}"
            )
            if name in _OF_THE_SERVER:
                told += f"; 'emotion serve --{name}' sets it for all requests"
            raise Problem(422, told)


async def _answer(
    request: Request, service: Service, crops: bool, annotate: str | None
) -> Response:
    headers, settings, figures = request.headers, service.settings, service.figures
    with service.intake.holding() as held:
        try:
            _, boundary = parse_content_type(headers)
            # reject a request before reading the body, if possible
            _check_options(request)
            service.intake.check(headers.get("content-length"))
            service.workers.reject_if_full()
            with figures.stage("read"):
                body = await held.read(request.receive, settings.body_timeout)
            connection = request.scope.get("state", {}).get(STATE) or Connection()
            job = Job(body, boundary, crops, annotate, connection)
            answer = await service.workers.answer(job)
        except Problem as problem:
            (figures.shed if problem.status == 503 else figures.failed)(problem.reason)
            return Refusal(problem, held.more)
    return Response(answer.content, 200, _NOT_KEPT, answer.media_type)
