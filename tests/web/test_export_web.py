"""``emotion export --web``: the page and its networks, whole or refused in one line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emotion_detection.cli import main
from emotion_detection.inference.browser_export import read_browser_files
from emotion_detection.serving import built_page

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small built page in the place of the package's."""
    page = tmp_path / "serving" / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("the page")
    (page / "assets" / "a-12345678.js").write_text("its program")
    monkeypatch.setattr(built_page.resources, "files", _files(page.parent))
    monkeypatch.chdir(tmp_path)
    return page


def _files(serving: Path) -> Callable[[str], Path]:
    real = built_page.resources.files

    def files(package: str) -> Path:
        return serving if package.endswith(".serving") else Path(str(real(package)))

    return files


def test_the_folder_holds_the_page_and_its_networks(built: Path, capsys: Capture) -> None:
    assert main(["export", "--web", "public/site"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("wrote public/site (12.")
    site = Path("public/site")
    for path in filter(Path.is_file, built.rglob("*")):
        assert (site / path.relative_to(built)).read_bytes() == path.read_bytes()
    for name, file in read_browser_files().items():
        assert (site / "models" / name).read_bytes() == file.content
    about = json.loads((site / "models" / "model.json").read_text(encoding="utf-8"))
    assert about["label_set"] == "ferplus"
    assert not list(site.rglob("*.part"))


def test_an_earlier_export_is_replaced(built: Path) -> None:
    assert main(["export", "--web", "site"]) == 0
    (built / "index.html").write_text("a newer page")
    assert main(["export", "--web", "site", "--labels", "fer2013"]) == 0
    assert Path("site/index.html").read_text() == "a newer page"
    assert json.loads(Path("site/models/model.json").read_text())["label_set"] == "fer2013"


def test_another_model_is_taken(built: Path, write_model: Callable[[Path], None]) -> None:
    write_model(Path("mine.onnx"))
    assert main(["export", "mine.onnx", "--web", "site"]) == 0
    assert Path("site/models/model.onnx").read_bytes() == Path("mine.onnx").read_bytes()


@pytest.fixture
def write_model() -> Callable[[Path], None]:
    """``write_model(path)``: the shipped model with one more entry, so that its bytes differ."""
    onnx = pytest.importorskip("onnx")

    def write(path: Path) -> None:
        model = onnx.load_model_from_string(read_browser_files()["model.onnx"].content)
        model.doc_string = "mine"
        onnx.save(model, str(path))

    return write


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--web", "full"], "--web full: is not empty"),
        (["--web", "full/file"], "--web full/file: is a file"),
        (["--web", "full/file/site"], "full/file/site: cannot be"),
        (["--web", "site", "none"], "none: no such run folder or ONNX file"),
        (["--web", "site", "--labels", "x"], "labels 'x': "),
        (["--web", "site", "--out", "x.onnx"], "--out and --data: are of ONNX files"),
        (["none", "--labels", "ferplus"], "--labels: is an option of --web"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    built: Path, capsys: Capture, words: list[str], expected: str
) -> None:
    Path("full").mkdir()
    Path("full/file").touch()
    assert main(["export", *words]) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert err.count("\n") == 1
    assert not Path("site").exists()
    assert [path.name for path in Path("full").iterdir()] == ["file"]


def test_a_page_that_is_not_built_is_reported(built: Path, capsys: Capture) -> None:
    (built / "index.html").unlink()
    assert main(["export", "--web", "site"]) == 2
    assert "the page is not built: run 'make web' in the checkout" in capsys.readouterr().err


def test_a_wrong_model_is_named_where_the_page_is_not_built_either(
    built: Path, capsys: Capture
) -> None:
    (built / "index.html").unlink()
    assert main(["export", "nope", "--web", "site"]) == 2
    assert capsys.readouterr().err == "emotion: nope: no such run folder or ONNX file\n"
    assert not Path("site").exists()


def test_it_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from emotion_detection.cli import main\n"
        f"sys.exit(main(['export', '--web', {str(tmp_path)!r}, 'none']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "torch" not in done.stderr


@pytest.mark.parametrize("editable", [False, True])
def test_a_copy_takes_the_page_of_its_checkout(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool
) -> None:
    # installed first, built afterwards: the copy has no page, the checkout has
    checkout = tmp_path / "my checkout"
    page = checkout / "src" / "emotion_detection" / "serving" / "page"
    page.mkdir(parents=True)
    (page / "index.html").write_text("built afterwards")
    record = {"url": checkout.as_uri(), "dir_info": {"editable": True} if editable else {}}

    class Installed:
        def read_text(self, name: str) -> str | None:
            return json.dumps(record) if name == "direct_url.json" else None

    monkeypatch.setattr(built_page.metadata, "distribution", lambda name: Installed())
    assert built_page.find_page_folder() == built
    (built / "index.html").unlink()
    assert built_page.find_page_folder() == (built if editable else page)
    record["url"] = "https://example.org/package.whl"
    assert built_page.find_page_folder() == built
