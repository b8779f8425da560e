"""A template's picture: an https address, or a stored picture of the organization that made the template.

The address is never fetched here. A stored picture is shown to everybody who sees the template, by its own address.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit
from uuid import UUID

from artefacts import selectors as artefacts
from artefacts.errors import FileNotFound
from artefacts.models import Artefact
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from templates_app.models import WorkflowTemplate

_STORED = "file:"
_FILE = re.compile(r"(?:/api/files/)?([0-9a-fA-F-]{32,36})(?:/content)?/?")
_UNWRITABLE = re.compile(r"[\x00-\x20\x7f<>\"\\^`{|}]")
MAX_LENGTH = 2000  # characters


def read_preview(*, actor: Actor, given: str, template: WorkflowTemplate) -> str | None:
    """What is stored for a picture that a client names; empty means none. Raises `InvalidInput`.

    Taken are https addresses, a file's id, a file's address (`/api/files/{id}`), and what the template answers already.
    """
    if not given:
        return None
    if given == shown_preview(template):
        return template.preview_image
    named = _FILE.fullmatch(given)
    if named is None:
        return _checked_address(given)
    try:
        file = artefacts.artefact(actor=actor, artefact_id=UUID(named[1]))
    except (FileNotFound, ValueError):
        raise InvalidInput.of("preview_image", "There is no file of this id. Upload the picture first.") from None
    if not file.media_type.startswith("image/"):
        raise InvalidInput.of("preview_image", f"This file is {file.media_type}; a preview is a picture.")
    return f"{_STORED}{file.pk}"


def shown_preview(template: WorkflowTemplate) -> str | None:
    """The address that clients get: the https one, or that of the stored picture."""
    stored = template.preview_image
    return f"/api/templates/{template.id}/preview" if stored and stored.startswith(_STORED) else stored or None


def preview_file(template: WorkflowTemplate) -> Artefact:
    """The stored picture of a template that the caller sees. Raises `FileNotFound`."""
    stored = template.preview_image or ""
    if not stored.startswith(_STORED) or template.organization_id is None:
        raise FileNotFound("The template has no stored picture.")
    return artefacts.of_organization(template.organization_id, stored.removeprefix(_STORED))


def _checked_address(given: str) -> str:
    try:
        parts = urlsplit(given)
        usable = parts.scheme == "https" and parts.hostname and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or len(given) > MAX_LENGTH or _UNWRITABLE.search(given):
        raise InvalidInput.of(
            "preview_image", "Give an address that begins with https://, or the id of a stored picture.", "format"
        )
    return given
