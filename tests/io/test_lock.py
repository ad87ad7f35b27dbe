"""One run at a time, or any number of parts; nothing of anyone else's is touched."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from emotion_detection.batch.input_files import Entry
from emotion_detection.batch.job_folder import open_work
from emotion_detection.errors import InputError
from emotion_detection.io.lock import hold_lock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no flock")


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_a_run_that_is_alone_bears_no_other(tmp_path: Path, first: bool, second: bool) -> None:
    with (
        hold_lock(tmp_path / "a.csv.parts", first),
        pytest.raises(InputError, match=r"a\.csv\.parts: another run is at it"),
        hold_lock(tmp_path / "a.csv.parts", second),
    ):
        pass
    with hold_lock(tmp_path / "a.csv.parts", second):
        pass


def test_parts_bear_one_another(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(hold_lock(tmp_path / "parts", alone=False))
    with hold_lock(tmp_path / "parts", alone=True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_whoever_dies_lets_go(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from emotion_detection.io.lock import hold_lock\n"
        "with hold_lock(Path(sys.argv[1]), True): os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "parts")])
    assert done.returncode == 9
    assert (tmp_path / "parts").exists()
    with hold_lock(tmp_path / "parts", alone=True):
        work = open_work(tmp_path / "parts", [Entry("a.jpg")], {})
        work.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["photo.jpg", "list.txt", "shards-mine", "emotion.lock.old"])
def test_a_folder_of_other_things_is_refused_and_left_as_it_was(tmp_path: Path, name: str) -> None:
    (tmp_path / "parts" / name).mkdir(parents=True)
    with (
        pytest.raises(InputError, match=f"parts: .* holds other things, as {name}: ") as refusal,
        hold_lock(tmp_path / "parts", alone=True),
    ):
        pass
    assert "\n" not in str(refusal.value)
    assert [path.name for path in (tmp_path / "parts").iterdir()] == [name]


def test_what_a_kill_leaves_behind_is_no_obstacle(tmp_path: Path) -> None:
    work = open_work(tmp_path / "parts", [Entry("a.jpg")], {})
    (tmp_path / "parts" / "manifest.json").unlink()
    for name in ("list.node.a.77.part", "table.node.78.part", "list.node.79.manifest"):
        (tmp_path / "parts" / name).write_text("")
    with hold_lock(tmp_path / "parts", alone=True):
        work.remove()
    assert list(tmp_path.iterdir()) == []
