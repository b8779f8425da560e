"""Choosing: one person's own preferences, key by key, so that two devices that choose different things agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from preferences import selectors
from preferences.keys import KEYS, read
from preferences.models import PreferenceSheet


@dataclass(frozen=True, slots=True)
class Chosen:
    """The sheet after it. `disputed` are the keys that somebody chose otherwise since `base`, whatever became of them;
    `taken` says whether anything was stored."""

    sheet: PreferenceSheet
    disputed: tuple[str, ...] = ()
    taken: bool = False


def opened(actor: Actor) -> PreferenceSheet:
    """The actor's stored sheet; an empty one is stored where there is none."""
    found = selectors.own_sheets(actor).first()
    if found is not None:
        return found
    blank = PreferenceSheet(organization_id=actor.organization_id, user_id=actor.user_id)
    PreferenceSheet.objects.of(actor).bulk_create([blank], ignore_conflicts=True)
    return selectors.own_sheets(actor).get()


@transaction.atomic
def choose(
    *, actor: Actor, wanted: Mapping[str, Any], base: int | None = None, yours_win: bool | None = False
) -> Chosen:
    """Store choices, given in groups; null goes back to the default. Without a `base` what is stored is what the caller saw.

    Of a key that was chosen otherwise after the version `base` the caller's value counts, or the stored one (`yours_win` false);
    with None nothing is stored where there is any. Raises `InvalidInput`.
    """
    choices = read(wanted)
    opened(actor)
    sheet = selectors.own_sheets(actor).select_for_update(no_key=True).get()
    if base is not None and not 1 <= base <= sheet.version:
        raise InvalidInput.of("base_version", f"Your preferences have come to version {sheet.version} only.")
    changed = {key: value for key, value in choices.items() if sheet.chosen.get(key) != value}
    disputed = tuple(key for key in changed if base is not None and sheet.stamps.get(key, 0) > base)
    if disputed and yours_win is None:
        return Chosen(sheet, disputed)
    taken = {key: value for key, value in changed.items() if yours_win or key not in disputed}
    if taken:
        _store(sheet, taken)
    return Chosen(sheet, disputed, bool(taken))


@transaction.atomic
def reset(*, actor: Actor, base: int | None = None, yours_win: bool | None = False) -> Chosen:
    """Go back to the defaults in everything. As `choose` does with every key."""
    sheet = opened(actor)
    wanted: dict[str, dict[str, Any]] = {}
    for key in sheet.chosen:
        if key in KEYS:
            group, _, name = key.partition(".")
            wanted.setdefault(group, {})[name] = None
    return choose(actor=actor, wanted=wanted, base=base, yours_win=yours_win)


def _store(sheet: PreferenceSheet, taken: Mapping[str, Any]) -> None:
    sheet.version += 1
    sheet.chosen = {key: value for key, value in {**sheet.chosen, **taken}.items() if value is not None}
    sheet.stamps = {**sheet.stamps, **dict.fromkeys(taken, sheet.version)}
    sheet.save(update_fields=["version", "chosen", "stamps", "updated_at"])
