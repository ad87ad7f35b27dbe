"""Serve the web page and the files it loads, with security headers.

``/docs`` is the API on one page, rendered from the OpenAPI document, without a script.
"""

import base64
import hashlib
import json
import re
from collections.abc import MutableMapping
from html import escape
from os import PathLike, stat_result
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from emotion_detection.inference import EmotionDetector
from emotion_detection.inference.browser_export import ABOUT, FINDER, MODEL, describe_browser_model
from emotion_detection.inference.face_detector import read_network
from emotion_detection.serving.built_page import MISSING, is_page_built
from emotion_detection.serving.error_responses import Problem

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.55 system-ui, sans-serif; }
body { margin: 0 auto; padding: 2rem 1rem; max-width: 52rem; overflow-wrap: break-word; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .5rem .8rem .5rem 0; border-bottom: 1px solid #8885; text-align: start;
  vertical-align: top; }
code, pre { font-size: .95em; }
pre { padding: .8rem 1rem; border-radius: .5rem; background: #8882; white-space: pre-wrap; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

API_PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content security policy of the page, which allows only the page's own style."""


def render_api_page(document: dict[str, Any]) -> str:
    """Render the description of the API as HTML.

    Args:
        document: the OpenAPI document.
    """
    rows = "\n".join(
        f"<tr><td><code>{escape(method.upper())} {escape(path)}</code></td>"
        f"<td>{escape(route.get('summary', ''))}</td></tr>"
        for path, routes in document["paths"].items()
        for method, route in routes.items()
    )
    title = escape(document["info"]["title"])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: the API</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}: the API</h1>
<p>Send an image as the body of a request:</p>
<pre>curl --data-binary @photo.jpg -H "Content-Type: image/jpeg" http://HOST:PORT/v1/predict</pre>
<table>
<thead><tr><th scope="col">route</th><th scope="col">answers</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p><a href="openapi.json">openapi.json</a> describes all options, answers and errors. Tools such as
Swagger UI and client generators read it. <a href="./">The page in the browser</a></p>
</main>
</body>
</html>
"""


HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "connect-src 'self'",
            "img-src 'self' blob: data:",
            "media-src 'self' blob:",
            "style-src 'self'",
            "font-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    # both together isolate the page, which WebAssembly threads require
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
"""Media types, fixed here because the system's types differ between systems."""

_HASHED = re.compile(r"[-.][\w-]{8,}\.\w+$")
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


def add_page(app: FastAPI, folder: Path, detector: EmotionDetector) -> None:
    """Serve the page at ``/`` and the networks at ``/models/``.

    Args:
        app: the application.
        folder: folder of the built page.
        detector: the detector.

    Raises:
        InputError: the file of the face detection network is missing or damaged.
    """
    finder = read_network()
    files = {FINDER: finder.path, MODEL: detector.model.path}
    about = json.dumps(describe_browser_model(detector)).encode()
    digests = {
        FINDER: finder.sha256,
        MODEL: detector.model.sha256,
        ABOUT: hashlib.sha256(about).hexdigest(),
    }
    marks = {name: f'"{digest}"' for name, digest in digests.items()}

    async def model_part(name: str, request: Request) -> Response:
        if name not in marks:
            raise Problem(404, f"no such file; there are {', '.join(sorted(marks))}")
        headers = {**HEADERS, "ETag": marks[name], "Cache-Control": _ASK_AGAIN}
        if marks[name] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        kind = _TYPES[Path(name).suffix]
        if name == ABOUT:
            return Response(about, media_type=kind, headers=headers)
        return FileResponse(files[name], media_type=kind, headers=headers)

    async def missing() -> Response:
        text = (
            f"<!doctype html><html lang=en><title>Emotion</title><p>{MISSING}. The API works "
            "without it: <a href=docs>its description</a></p></html>"
        )
        return HTMLResponse(text, 404, HEADERS)

    async def api_page() -> Response:
        headers = {**HEADERS, "Content-Security-Policy": API_PAGE_POLICY}
        return HTMLResponse(render_api_page(app.openapi()), 200, headers)

    both = ["GET", "HEAD"]
    app.add_api_route("/docs", api_page, methods=both, include_in_schema=False)
    app.add_api_route("/models/{name}", model_part, methods=both, include_in_schema=False)
    if is_page_built(folder):
        # not mounted: an application at / would answer wrong methods of other routes
        app.router.default = _Page(directory=folder, html=True)
    else:
        app.add_api_route("/", missing, methods=both, include_in_schema=False)


class _Page(StaticFiles):
    """Files of the page: typed by name, cached by browsers if the name contains a hash."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        """Answer a request for a file, or with 404."""
        if scope["method"] not in ("GET", "HEAD"):
            raise Problem(404, "no such route; /docs lists those of the API")
        return await super().get_response(path, scope)

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: MutableMapping[str, Any],
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        path = Path(full_path)
        hashed = path.parent.name == "assets" and _HASHED.search(path.name)
        response.headers.update({**HEADERS, "Cache-Control": _FOREVER if hashed else _ASK_AGAIN})
        if path.suffix in _TYPES and response.status_code != 304:
            response.headers["Content-Type"] = _TYPES[path.suffix]
        return response
