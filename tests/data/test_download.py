import io
import sys
import time
import types
import urllib.error

import pytest

from emotion_detection.data import download
from emotion_detection.data.download import DownloadError, check_rows, download_fer2013

ROWS = {"Training": 4, "PublicTest": 2, "PrivateTest": 2}


@pytest.fixture(autouse=True)
def small_world(monkeypatch):
    """Expect eight rows; every place on the network answers, with nothing."""
    monkeypatch.setattr(download, "ROWS", ROWS)
    monkeypatch.setattr(download, "PATIENCE", 2.0)
    answer(monkeypatch, b"")


def answer(monkeypatch, content):
    def urlopen(request, timeout=None):
        if isinstance(content, Exception):
            raise content
        return io.BytesIO(content)

    monkeypatch.setattr(download.urllib.request, "urlopen", urlopen)


def rows(counts=ROWS):
    lines = [f"0,1 2 3 4,{usage}" for usage, count in counts.items() for _ in range(count)]
    return "\n".join(["emotion,pixels,Usage", *lines]) + "\n"


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    """Put a fake kagglehub in place; return the folder that it "downloads"."""
    folder = tmp_path / "kagglehub" / "versions" / "1"
    folder.mkdir(parents=True)
    (folder / "fer2013.csv").write_text(rows())
    asked = []

    def dataset_download(name):
        asked.append(name)
        return str(tmp_path / "kagglehub")

    module = types.ModuleType("kagglehub")
    module.dataset_download = dataset_download
    module.asked = asked
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    return folder


VOTES = b"Usage,Image name,...\n" + b"Training,fer.png,0\n" * 8


def test_faces_and_votes_are_put_side_by_side(tmp_path, kaggle, monkeypatch, capsys):
    answer(monkeypatch, VOTES)
    place = download_fer2013(tmp_path / "data")
    assert place == tmp_path / "data" / "fer2013"
    assert sorted(path.name for path in place.iterdir()) == ["fer2013.csv", "fer2013new.csv"]
    assert (place / "fer2013.csv").read_text() == rows()
    assert (place / "fer2013new.csv").read_bytes() == VOTES
    assert sys.modules["kagglehub"].asked == ["deadskull7/fer2013"]
    said = capsys.readouterr()
    assert "downloading FER-2013 from Kaggle" in said.err
    assert said.out == ""


def test_what_is_there_is_not_fetched_again(tmp_path, kaggle, monkeypatch):
    answer(monkeypatch, VOTES)
    download_fer2013(tmp_path / "data")
    download_fer2013(tmp_path / "data")
    assert len(sys.modules["kagglehub"].asked) == 1


def test_incomplete_votes_are_not_kept_and_the_faces_are(tmp_path, kaggle, monkeypatch, capsys):
    answer(monkeypatch, VOTES[:40])
    place = download_fer2013(tmp_path / "data")
    assert [path.name for path in place.iterdir()] == ["fer2013.csv"]
    assert "FER+ votes not fetched (2 lines, 9 expected)" in capsys.readouterr().err


def test_missing_rows_are_told_and_nothing_is_put(tmp_path, kaggle):
    (kaggle / "fer2013.csv").write_text(rows({**ROWS, "PrivateTest": 1}))
    with pytest.raises(DownloadError, match=r"'PrivateTest': 1.* rows, not .*'PrivateTest': 2"):
        download_fer2013(tmp_path / "data")
    assert list((tmp_path / "data" / "fer2013").iterdir()) == []


def test_check_rows_takes_the_whole_file_alone(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(rows().replace("\n", "\r\n"))
    check_rows(path)
    path.write_text(rows({**ROWS, "Training": 5}))
    with pytest.raises(DownloadError, match="'Training': 5"):
        check_rows(path)


def test_a_copy_that_breaks_off_leaves_no_file(tmp_path, kaggle, monkeypatch):
    def break_off(source, target):
        target.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.shutil, "copyfile", break_off)
    with pytest.raises(DownloadError, match="No space left on device"):
        download_fer2013(tmp_path / "data")
    assert list((tmp_path / "data" / "fer2013").iterdir()) == []


def test_a_dataset_without_the_file_is_reported(tmp_path, kaggle):
    (kaggle / "fer2013.csv").unlink()
    with pytest.raises(DownloadError, match=r"holds no fer2013\.csv"):
        download_fer2013(tmp_path / "data")


@pytest.mark.parametrize("words", ["", "403 Client Error\nand a long page"])
def test_whatever_kagglehub_raises_becomes_one_line(words, tmp_path, kaggle, monkeypatch):
    def dataset_download(name):
        raise RuntimeError(words)

    monkeypatch.setattr(sys.modules["kagglehub"], "dataset_download", dataset_download)
    with pytest.raises(DownloadError) as caught:
        download_fer2013(tmp_path / "data")
    message = str(caught.value)
    assert "\n" not in message
    assert "RuntimeError" in message


@pytest.mark.parametrize(
    "error", [urllib.error.URLError("no route"), TimeoutError(), ValueError("unknown url type")]
)
def test_offline_says_what_to_fetch_and_where_to_put_it(error, tmp_path, kaggle, monkeypatch):
    answer(monkeypatch, error)
    with pytest.raises(DownloadError) as caught:
        download_fer2013(tmp_path / "data")
    place = tmp_path / "data" / "fer2013"
    message = str(caught.value)
    assert "no connection to Kaggle" in message
    assert "https://www.kaggle.com/datasets/deadskull7/fer2013" in message
    assert f"put it at {place / 'fer2013.csv'}" in message
    assert str(place / "fer2013new.csv") in message
    assert "\n" not in message
    assert sys.modules["kagglehub"].asked == []
    assert not place.exists()


def test_a_look_up_that_hangs_is_given_up_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.2)
    monkeypatch.setattr(
        download.urllib.request, "urlopen", lambda request, timeout=None: time.sleep(1.5)
    )
    start = time.monotonic()
    with pytest.raises(DownloadError, match="no connection to Kaggle"):
        download_fer2013(tmp_path / "data")
    assert time.monotonic() - start < 1


def test_patience_is_under_ten_seconds(monkeypatch):
    monkeypatch.undo()
    assert 1 < download.PATIENCE < 10
