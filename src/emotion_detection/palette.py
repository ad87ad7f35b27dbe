"""Colours of the emotions: in images, on the terminal, on the page, in plots and in the report.

The hues are those of Okabe and Ito (2008), Color Universal Design, which people with any colour
vision tell apart; light grey takes the place of black.
"""

from collections.abc import Iterable

Colour = tuple[int, int, int]

EMOTION_COLOURS: dict[str, Colour] = {
    "anger": (213, 94, 0),
    "disgust": (0, 158, 115),
    "fear": (204, 121, 167),
    "happiness": (240, 228, 66),
    "sadness": (0, 114, 178),
    "surprise": (230, 159, 0),
    "neutral": (200, 200, 200),
    "contempt": (86, 180, 233),
}
"""Red, green, blue of each emotion, on images and dark plates."""

PAPER_SHADES: dict[str, str] = {
    "anger": "#d55e00",
    "disgust": "#00845f",
    "fear": "#b9588d",
    "happiness": "#9a8700",
    "sadness": "#0072b2",
    "surprise": "#c07a00",
    "neutral": "#6e7681",
    "contempt": "#2b93cf",
}
"""The same hues, dark enough for lines on white: a contrast of at least 3."""


def assign_colour_slots(labels: Iterable[str]) -> dict[str, int]:
    """Return the place of each label's colour in the palette.

    An emotion has its own colour whatever other classes there are. Other classes take turns;
    places from 8 on are a second round through the palette.

    >>> assign_colour_slots(["fear", "bored"])
    {'fear': 2, 'bored': 1}
    """
    places = {name: place for place, name in enumerate(EMOTION_COLOURS)}
    return {name: places.get(name, number) for number, name in enumerate(labels)}


def list_emotion_colours(labels: Iterable[str]) -> dict[str, Colour]:
    """Return red, green, blue for each label.

    >>> list_emotion_colours(["happiness"])
    {'happiness': (240, 228, 66)}
    """
    colours = list(EMOTION_COLOURS.values())
    slots = assign_colour_slots(labels)
    return {name: colours[slot % len(colours)] for name, slot in slots.items()}
