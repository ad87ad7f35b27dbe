"""``emotion serve``: what its words may be."""

import importlib.util
from typing import Any

import pytest

from emotion_detection import cli

pytest.importorskip("fastapi", reason="the extra serve is not installed")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--port", "99999"], "--port 99999: must be 0 to 65535"),
        (["--port", "many"], "--port many: must be a whole number"),
        (["--host", "192.0.2.1"], "--host 192.0.2.1"),
        (["--queue", "0"], "--queue 0: must be 1 or more"),
        (["--workers", "0"], "--workers 0"),
        (["--timeout", "0"], "--timeout 0"),
        (["--timeout", "nan"], "--timeout nan"),
        (["--max_pixels", "100000000"], "--max_pixels 100000000: must be 1 to 25,000,000"),
        (["--max_inflight_bytes", "10"], "--max_inflight_bytes 10: must be 20,000,000 or more"),
        (["--allow_origin", "example.org"], "--allow_origin example.org: must be as https://"),
        (["--model", "nowhere"], "nowhere"),
        (["--labels", "none"], "labels 'none'"),
        (["--min_confidence", "2"], "min_confidence 2"),
        (["--device", "gpu"], "--device 'gpu': did you mean 'cuda' (NVIDIA)"),
        (["--prot", "1"], "did you mean --port?"),
    ],
)
def test_bad_words_are_one_line(
    words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", "--port", "0", *words]) == 2
    out, err = capsys.readouterr()
    assert part in err
    assert err.count("\n") == 1
    assert out == ""


@pytest.mark.parametrize("module", ["fastapi", "uvicorn", "prometheus_client", "python_multipart"])
def test_a_missing_extra_is_named(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec

    def without(name: str, *more: Any) -> Any:
        return None if name == module else find(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    assert cli.main(["serve"]) == 2
    assert "pip install '.[serve]'" in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["serve", "--help"])
    assert "--max_pixels" in capsys.readouterr().out
