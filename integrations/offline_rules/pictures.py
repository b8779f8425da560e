"""What can be measured of a picture without a model that sees: its size and its most common colours."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image as Pillow

from engine.ports import Image

COLOURS = {
    "black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "red": (200, 30, 30), "orange": (240, 140, 20),
    "yellow": (240, 220, 40), "green": (40, 150, 60), "cyan": (40, 190, 200), "blue": (40, 70, 200), "purple": (130, 50, 170),
    "pink": (240, 150, 190), "brown": (120, 75, 40),
}  # fmt: skip
_SAMPLE = (64, 64)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """`colours` are (name, share from 0 to 1), the most common first."""

    width: int
    height: int
    media_type: str
    colours: Sequence[tuple[str, float]]

    def sentence(self) -> str:
        """In words, and what is not known."""
        shares = ", ".join(f"{name} ({share:.0%})" for name, share in self.colours)
        return (
            f"No AI model that sees is configured, so this is the offline provider's measurement and not a description: "
            f"{self.width} x {self.height} pixels as given to the model; the most common colours are {shares}. "
            "What it shows, and whether there is text in it, is not known."
        )

    def data(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The schema's properties that can be measured; null for every other one."""
        known: dict[str, Any] = {
            "width": self.width,
            "height": self.height,
            "media_type": self.media_type,
            "colours": [name for name, _ in self.colours],
            "colors": [name for name, _ in self.colours],
            "dominant_colour": self.colours[0][0],
            "dominant_color": self.colours[0][0],
        }
        properties = schema.get("properties")
        return {name: known.get(name) for name in properties} if isinstance(properties, Mapping) else {}


def measure(image: Image) -> Measured:
    """Measure a picture that was drawn anew, and so is harmless."""
    with Pillow.open(io.BytesIO(image.content)) as opened:
        width, height = opened.size
        sample = opened.convert("RGB").resize(_SAMPLE)
    counts: dict[str, int] = {}
    for count, pixel in sample.getcolors(_SAMPLE[0] * _SAMPLE[1]) or []:
        name = _nearest(pixel)
        counts[name] = counts.get(name, 0) + count
    total = sum(counts.values())
    common = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_SHOWN]
    return Measured(width, height, image.media_type, [(name, count / total) for name, count in common])


def _nearest(pixel: Any) -> str:
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], pixel, strict=True)))
