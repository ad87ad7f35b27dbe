"""How many processors a container grants, from files as the kernel writes them."""

from pathlib import Path

import pytest

from emotion_detection.io import processes
from emotion_detection.io.processes import count_cpus, is_limited, read_quota


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "own", "quota"),
    [
        ({"cpu.max": "200000 100000\n"}, "0::/\n", 2.0),
        ({"cpu.max": "50000 100000\n"}, "0::/\n", 0.5),
        ({"cpu.max": "max 100000\n"}, "0::/\n", None),
        ({"kube/pod/cpu.max": "max 100000", "kube/cpu.max": "150000 100000"}, "0::/kube/pod", 1.5),
        (
            {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"},
            "4:cpu,cpuacct:/x",
            4,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/", None),
        ({"cpu.max": "damaged"}, "0::/../../etc\n", None),
        ({}, "", None),
    ],
)
def test_quotas(files: dict[str, str], own: str, quota: float | None, tmp_path: Path) -> None:
    groups = write(tmp_path / "cgroup", files)
    (tmp_path / "own").write_text(own)
    assert read_quota(groups, tmp_path / "own") == quota
    assert read_quota(groups, tmp_path / "none") in (quota, None)


@pytest.mark.parametrize(
    ("allowed", "quota", "count"),
    [(64, 2.0, 2), (64, 0.5, 1), (64, 1.5, 2), (2, 8.0, 2), (4, None, 4)],
)
def test_the_smaller_of_affinity_and_quota_counts(
    allowed: int, quota: float | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_count_allowed", lambda: allowed)
    monkeypatch.setattr(processes, "read_quota", lambda: quota)
    assert count_cpus() == count
    assert is_limited() == (count < allowed)
