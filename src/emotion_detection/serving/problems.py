"""What went wrong with a request, as RFC 9457 says it: ``application/problem+json``."""

import json
from collections.abc import Mapping
from http import HTTPStatus

PROBLEM_JSON = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """A request that is not answered as it was meant.

    Args:
        status: of HTTP.
        detail: what was wrong, and what is allowed, for a person.
        headers: to send with it.
        reason: one word for the figures.
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
    """Return the problem of something that nobody foresaw."""
    return Problem(500, "the server failed at this; its log says where", reason="failure")


def make_client_left_problem() -> Problem:
    """Return the problem of a client that left before it was answered; nobody reads it."""
    return Problem(400, "the client left before its answer", reason="client_left")


def problem_json(status: int, detail: str) -> bytes:
    """Return a problem's members as JSON; its type is that of the status alone."""
    members = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json.dumps({"type": "about:blank", **members}).encode()


def make_plain_answer(status: int, detail: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole HTTP/1.1 answer, after which the connection closes.

    For where no application is reached: bytes that are no request, or one connection too many.
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
