"""Render ``/docs``: the API on one page, from the OpenAPI document, without a script."""

import base64
import hashlib
from html import escape
from typing import Any

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
