"""Pictures, made anew: what comes out holds the picture and nothing that rode along in its file. Only in the guarded child."""

from __future__ import annotations

import warnings
from typing import IO

from PIL import Image, ImageOps, UnidentifiedImageError

from nodes.formats.content import Unreadable

MAX_PIXELS = 40_000_000
_ENCODED = {"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "webp": "WEBP"}


def remade(file: IO[bytes], format: str, out: IO[bytes]) -> None:
    """Write the first frame of the picture, upright, without its metadata. Raises `Unreadable`."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(file, formats=[_ENCODED[format]]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise Unreadable(_too_large())
            picture = ImageOps.exif_transpose(opened)
            picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable(_too_large()) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise Unreadable(f"The picture is damaged, or is no {_ENCODED[format]}: {type(error).__name__}.") from error
    clean = Image.new(picture.mode, picture.size)
    if picture.palette is not None:
        clean.putpalette(picture.palette)
    clean.paste(picture)
    transparency = picture.info.get("transparency")
    more = {"transparency": transparency} if transparency is not None and format in ("png", "gif") else {}
    clean.save(out, format=_ENCODED[format], **more)


def _too_large() -> str:
    return f"The picture has more than {MAX_PIXELS:,} pixels."
