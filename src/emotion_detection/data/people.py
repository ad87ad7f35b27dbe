"""Find the person of each face, by a column, a pattern in names, or a folder."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from emotion_detection.data.source import Face
from emotion_detection.errors import InputError

Numbers = npt.NDArray[np.int64]


def find_people(faces: Sequence[Face], rule: str | None) -> list[str | None]:
    """Return the person of each face, or None.

    Args:
        faces: the faces.
        rule: a regular expression, the number of a folder, or None for what the data says itself
            (:class:`~emotion_detection.config.DataConfig`).

    Raises:
        InputError: the rule fits none of the names.
    """
    if rule is None:
        return [face.person for face in faces]
    if re.fullmatch(r"-?[1-9]\d*", rule):
        people = [_folder(face.name, int(rule)) for face in faces]
    else:
        people = [_search(face.name, rule) for face in faces]
    if faces and not any(people):
        raise InputError(
            f"--person {rule}: fits none of the {len(faces)} names, such as {faces[0].name}; give "
            "a regular expression, or the number of a folder in the name"
        )
    return people


def _folder(name: str, number: int) -> str | None:
    folders = PurePosixPath(name).parts[:-1]
    place = number - 1 if number > 0 else number
    return folders[place] if -len(folders) <= place < len(folders) else None


def _search(name: str, rule: str) -> str | None:
    found = re.search(rule, name)
    if found is None:
        return None
    # of alternatives the group that took part
    return next((group for group in found.groups() if group), None) or found.group() or None


def join_groups(groups: Numbers, people: Sequence[str | None]) -> Numbers:
    """Join groups of faces that show the same person.

    Args:
        groups: int64 (N,), equal numbers for duplicates.
        people: the person of each face, or None.

    Returns:
        int64 (N,), equal numbers for faces that belong together.
    """
    parent = {int(group): int(group) for group in groups}

    def root(group: int) -> int:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    first: dict[str, int] = {}
    for group, person in zip(groups.tolist(), people, strict=True):
        if person is not None:
            low, high = sorted((root(group), root(first.setdefault(person, group))))
            parent[high] = low
    return np.array([root(group) for group in groups.tolist()], np.int64)
