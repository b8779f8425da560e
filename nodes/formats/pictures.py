"""Pictures from strangers: what they are by their own bytes, made small, and drawn anew so that nothing else travels along."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from PIL import Image, ImageOps, UnidentifiedImageError

from nodes.formats.content import MIB, Unreadable

MAX_BYTES = 10 * MIB
MAX_PIXELS = 40_000_000
SIDE = 2048  # pixels the longer side has at most, as vision models see no more
_SIGNS = {
    "jpeg": (b"\xff\xd8\xff",),
    "png": (b"\x89PNG\r\n\x1a\n",),
    "gif": (b"GIF87a", b"GIF89a"),
    "webp": (b"RIFF",),
}
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True, slots=True)
class Picture:
    """`format`, `width` and `height` are the original's; `content` is the picture drawn anew as JPEG, without metadata."""

    format: str
    width: int
    height: int
    content: bytes = field(repr=False)
    media_type: str = "image/jpeg"


def read_picture(content: bytes) -> Picture:
    """Check, turn upright, make small and encode anew; of a moving picture the first frame. Raises `Unreadable`."""
    if len(content) > MAX_BYTES:
        raise Unreadable(f"The picture has {len(content) / MIB:.1f} MiB; at most {MAX_BYTES // MIB} MiB are looked at.")
    kind = kind_of(content)
    try:
        with Image.open(io.BytesIO(content), formats=[kind]) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Unreadable(f"The picture has {width} x {height} pixels; at most {MAX_PIXELS:,} are looked at.")
            image.verify()
        with Image.open(io.BytesIO(content), formats=[kind]) as image:
            image.draft("RGB", (SIDE, SIDE))
            upright = ImageOps.exif_transpose(image)
            return Picture(kind, width, height, _drawn_anew(upright))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable(f"The picture has too many pixels; at most {MAX_PIXELS:,} are looked at.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError, MemoryError):
        raise Unreadable("The picture is damaged or not what its first bytes say.") from None


def kind_of(content: bytes) -> str:
    """jpeg, png, gif or webp, by the first bytes. Raises `Unreadable` for anything else."""
    for kind, signs in _SIGNS.items():
        if content.startswith(signs) and (kind != "webp" or content[8:12] == b"WEBP"):
            return kind
    raise Unreadable("This is no picture that can be looked at; give JPEG, PNG, GIF or WebP.")


def _drawn_anew(image: Image.Image) -> bytes:
    image.thumbnail((SIDE, SIDE))
    drawn = image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
    if drawn.mode == "RGBA":
        paper = Image.new("RGB", drawn.size, "white")
        paper.paste(drawn, mask=drawn.getchannel("A"))
        drawn = paper
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=88)
    return out.getvalue()
