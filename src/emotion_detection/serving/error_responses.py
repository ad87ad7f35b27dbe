"""Error responses of RFC 9457: ``application/problem+json``."""

import json
from collections.abc import Mapping
from http import HTTPStatus

PROBLEM_JSON = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """An error response.

    Args:
        status: HTTP status.
        detail: message for people: what is wrong, and what is allowed.
        headers: additional headers.
        reason: label in the metrics.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.reason = reason or HTTPStatus(status).phrase.lower().replace(" ", "_")

    def body(self) -> bytes:
        """Return the JSON to send."""
        return problem_json(self.status, self.detail)


def describe_failure() -> Problem:
    """Return the problem of an unexpected error."""
    return Problem(500, "the server failed at this; its log says where", reason="failure")


def make_client_left_problem() -> Problem:
    """Return the problem of a client that disconnected; it is only logged."""
    return Problem(400, "the client left before its answer", reason="client_left")


def problem_json(status: int, detail: str) -> bytes:
    """Return a problem as JSON; the type is about:blank."""
    members = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json.dumps({"type": "about:blank", **members}).encode()


def make_plain_answer(status: int, detail: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a complete HTTP/1.1 answer, after which the connection closes.

    For connections that do not reach the application: an invalid request, or too many connections.
    """
    body = problem_json(status, detail)
    lines = {
        "Content-Type": PROBLEM_JSON,
        "Content-Length": str(len(body)),
        "Connection": "close",
        **(headers or {}),
    }
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode("latin-1") + b"\r\n" + body
