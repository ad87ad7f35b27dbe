"""The folder that all golden cases share, and the option that writes their files anew."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.golden.workplace import Workplace

WRITERS = (
    *("write_csv", "write_icml_csv", "write_parquet", "write_folders", "write_manifest"),
    "write_votes",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-golden``."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture(scope="session")
def workplace(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_set: Any,
    tiny_faces: Callable[..., np.ndarray],
) -> Workplace:
    """An empty folder, and the functions that write datasets."""
    writers = {name: request.getfixturevalue(name) for name in WRITERS}
    return Workplace(tmp_path_factory.mktemp("golden"), tiny_set, tiny_faces, writers)
