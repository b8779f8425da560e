"""A form's fields as a page draws them, and the values as a browser sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from engine.expression_values import as_text
from executions.handed_in import HandedIn

PREFIX = "field-"
_INPUTS = {"number": "number", "date": "date", "email": "email", "phone": "tel", "boolean": "checkbox", "file": "file"}


@dataclass(slots=True)
class Drawn:
    """`kind` is text, textarea, select, or an input's type (file among them); `key` is the control's name in the page."""

    name: str
    key: str
    label: str
    kind: str
    required: bool
    value: Any
    multiple: bool = False
    choices: list[tuple[str, str, bool]] = field(default_factory=list)
    problem: str = ""


def drawn(fields: Sequence[Mapping[str, Any]], sent: QueryDict | None = None) -> list[Drawn]:
    """The fields of a configuration, filled with what was sent before or with their defaults."""
    return [_drawn(each, sent) for each in fields]


def given_in(fields: Sequence[Drawn], sent: QueryDict) -> dict[str, Any]:
    """Field name to value, as `nodes.settings.form_fields.collect` takes it."""
    values: dict[str, Any] = {}
    for each in fields:
        if each.multiple:
            values[each.name] = list(sent.getlist(each.key))
        elif each.kind == "file":
            continue  # A file comes as a part of its own; a text in its place means nothing.
        elif each.kind == "checkbox":
            values[each.name] = each.key in sent
        else:
            values[each.name] = sent.get(each.key, "")
    return values


def files_in(fields: Sequence[Drawn], sent: MultiValueDict[str, UploadedFile]) -> dict[str, HandedIn]:
    """Field name to the file that the multipart parser made of its part."""
    found = {each.name: sent.get(each.key) for each in fields if each.kind == "file"}
    return {
        name: HandedIn(file.name or "", file.content_type or "", file.file)
        for name, file in found.items()
        if file is not None and file.file is not None
    }


def _drawn(raw: Mapping[str, Any], sent: QueryDict | None) -> Drawn:
    name, kind = str(raw["name"]), str(raw.get("type") or "string")
    key = PREFIX + name
    value = None if kind == "file" else sent.getlist(key) if sent else raw.get("default")
    chosen = [as_text(each) for each in (value if isinstance(value, list) else [value])]
    options = raw.get("options") or []
    return Drawn(
        name=name,
        key=key,
        label=str(raw.get("label") or name),
        kind="select" if options else "textarea" if kind == "text" else _INPUTS.get(kind, "text"),
        required=bool(raw.get("required")),
        value=(chosen[0] if value not in (None, []) else "") if kind != "boolean" else bool(value),
        multiple=kind == "multiselect",
        choices=[
            (
                as_text(each.get("value")),
                str(each.get("label") or each.get("value")),
                as_text(each.get("value")) in chosen,
            )
            for each in options
        ],
    )
