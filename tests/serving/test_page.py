"""The page's files: how they are sent, and what is said where the page is not built."""

import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from emotion_detection import cli, pretrained
from emotion_detection.serving.built_page import find_page_folder, is_page_built

FILES = {
    "index.html": ("text/html; charset=utf-8", "no-cache"),
    "assets/index-Ab3dE6gh.js": ("text/javascript; charset=utf-8", "immutable"),
    "assets/index-Ab3dE6gh.css": ("text/css; charset=utf-8", "immutable"),
    "assets/ort-wasm-simd-Ab3dE6gh.wasm": ("application/wasm", "immutable"),
    "assets/ort-Ab3dE6gh.mjs": ("text/javascript; charset=utf-8", "immutable"),
    "assets/plain.wasm": ("application/wasm", "no-cache"),
    "samples/one.png": ("image/png", "no-cache"),
    "manifest.webmanifest": ("application/manifest+json", "no-cache"),
}


@pytest.fixture(scope="module")
def paged(serving: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("outside") / "page"
    (folder.parent / "secret.txt").parent.mkdir(exist_ok=True)
    (folder.parent / "secret.txt").write_text("secret")
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    with serving(page=folder, workers=1) as running:
        yield running


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_its_type_and_its_headers(paged: Any, name: str) -> None:
    answer = paged.get(f"/{name}")
    kind, kept = FILES[name]
    assert answer.text == f"content of {name}"
    assert answer.headers["content-type"] == kind
    assert kept in answer.headers["cache-control"]
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "connect-src 'self'", "media-src 'self' blob:"} <= set(policy)
    assert "script-src 'self' 'wasm-unsafe-eval'" in policy
    assert "unsafe-inline" not in str(policy)
    assert answer.headers["permissions-policy"].startswith("camera=(self)")
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = paged.get(f"/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_root_is_the_page_and_the_api_stays(paged: Any) -> None:
    assert paged.get("/").text == "content of index.html"
    assert paged.get("/v1/model").json()["shipped"]
    assert paged.get("/none.js").headers["content-type"] == "application/problem+json"


def test_the_api_is_described_without_a_script(paged: Any) -> None:
    answer = paged.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    for text in ("POST /v1/predict", "GET /health/ready", "curl --data-binary"):
        assert text in answer.text
    assert "<script" not in answer.text
    assert "http" not in re.sub("http://HOST:PORT", "", answer.text)


def test_what_people_type_first_is_answered(paged: Any) -> None:
    assert paged.get("/health").json() == {"status": "ready"}
    wrong = paged.get("/v1/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["detail"] == "GET is not allowed here; use POST"
    unknown = paged.post("/predict", b"an image")
    assert unknown.status_code == 404
    assert "/docs lists those of the API" in unknown.json()["detail"]


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt"])
def test_nothing_outside_the_folder_is_sent(paged: Any, path: str) -> None:
    with paged.socket() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"secret" not in answer.partition(b"\r\n\r\n")[2]


def test_the_networks_are_those_of_python(running: Any) -> None:
    answer = running.get("/models/model.onnx")
    assert answer.content == pretrained.find_model().read_bytes()
    finder = resources.files("emotion_detection.inference") / "centerface" / "centerface.onnx"
    assert running.get("/models/centerface.onnx").content == finder.read_bytes()
    assert json.loads(running.get("/models/model.json").text)["labels"] == list(
        running.detector.labels
    )
    mark = {"if-none-match": answer.headers["etag"]}
    assert running.get("/models/model.onnx", headers=mark).status_code == 304
    assert running.get("/models/weights.safetensors").status_code == 404


def test_a_missing_page_says_how_it_is_built(serving: Callable[..., Any], tmp_path: Path) -> None:
    with serving(page=tmp_path / "none", workers=1) as running:
        answer = running.get("/")
        assert (answer.status_code, answer.headers["content-type"]) == (
            *(404, "text/html; charset=utf-8"),
        )
        assert "make web" in answer.text
        assert running.get("/assets/a.js").status_code == 404
        assert running.get("/health/ready").status_code == 200


def test_the_command_says_where_the_page_is(process: Callable[..., Any]) -> None:
    before = (
        "import emotion_detection.serving.built_page as p\n"
        "from pathlib import Path\n"
        "p.find_page_folder = lambda: Path('none')\n"
        "import builtins; say = builtins.print\n"
        "builtins.print = lambda *a, **k: say(*a, **k) or say(*a, file=sys.stderr)"
    )
    with process(before=before) as served:
        assert served.process.stderr is not None
        assert "'make web'" in served.process.stderr.readline()
    assert find_page_folder().name == "page"
    assert is_page_built(find_page_folder()) == (find_page_folder() / "index.html").is_file()
    assert "serve" in cli.USAGE
