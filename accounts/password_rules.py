"""Which passwords nobody may have: too short, too common, made of what is known of the person, or had before. Asks no network."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from django.contrib.auth.hashers import check_password
from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    UserAttributeSimilarityValidator,
    validate_password,
)
from django.core.exceptions import ValidationError

from accounts.models import Organization, User
from accounts.policies import Rules
from auterity.kernel.errors import FieldProblem

KEPT: Final = 5  # former passwords whose hashes are kept
SHORTEST_NAME: Final = 4  # a name with fewer letters stands in too many words
_SWAPPED: Final = str.maketrans(
    {"0": "o", "1": "l", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"}
)
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
)
_VALIDATORS: Final = (CommonPasswordValidator(), UserAttributeSimilarityValidator())
_CLASSES: Final = (str.islower, str.isupper, str.isdigit, lambda each: not each.isalnum())


def problems(password: str, owner: User, rules: Rules, organizations: Sequence[str] = ()) -> list[FieldProblem]:
    """Everything that is wrong with a password of `owner`, who need not be stored yet."""
    found: list[str] = []
    if len(password) < rules.password_min_length:
        found.append(f"This password is too short. It must contain at least {rules.password_min_length} characters.")
    kinds = sum(any(is_one(each) for each in password) for is_one in _CLASSES)
    if kinds < rules.password_classes:
        found.append(
            f"At least {rules.password_classes} of lower case, upper case, digits and other characters are needed."
        )
    try:
        validate_password(password, owner, _VALIDATORS)
    except ValidationError as error:
        found += error.messages
    if not found and _guessed_early(password):
        found.append("This password is one of those that are tried first.")
    if not found and _is_made_of(_names(owner, organizations), password, rules.password_min_length):
        found.append("This password is made of your name, your address or your organization.")
    return [FieldProblem("password", each) for each in found]


def reused(password: str, owner: User, history: int) -> list[FieldProblem]:
    """Whether it is the present password or one of the newest `history` before it."""
    if not history:
        return []
    hashes = [owner.password, *owner.former_passwords.order_by("-id").values_list("password", flat=True)[: history - 1]]
    if any(check_password(password, each) for each in hashes):
        return [FieldProblem("password", f"This is one of your last {history} passwords.")]
    return []


def organizations_of(owner: User) -> list[str]:
    """The names of the organizations the person belongs to."""
    rows = Organization.objects.filter(memberships__user=owner, is_personal=False)
    return list(rows.values_list("name", flat=True)[:50])


# -- inside ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return frozenset(_VALIDATORS[0].passwords)


def _guessed_early(password: str) -> bool:
    """A common password in disguise: with digits or signs around it, letters swapped for signs, said twice; or a row of keys."""
    low = password.casefold()
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", low)
    spelled = {
        low,
        core,
        low.translate(_SWAPPED),
        core.translate(_SWAPPED),
        re.sub(r"[\W\d_]+$", "", low).translate(_SWAPPED),
    }
    half = core[: len(core) // 2]
    if half and half * 2 == core:
        spelled.add(half)
    if any(len(each) >= 5 and each in _common() for each in spelled):
        return True
    return len(set(low)) <= 2 or any(low in row or low in row[::-1] for row in _ROWS)


def _is_made_of(names: Sequence[str], password: str, shortest: int) -> bool:
    """What is left without a name must be a password by itself: a short tail is quickly guessed."""
    word = _plain(password)
    return any(name in word and len(word.replace(name, "")) < shortest for name in names)


def _names(owner: User, organizations: Sequence[str]) -> list[str]:
    local, _, domain = owner.email.partition("@")
    said = [owner.first_name, owner.last_name, f"{owner.first_name}{owner.last_name}", local, domain, *organizations]
    said += [part for each in (local, *organizations) for part in re.split(r"[\W_]+", each)]
    return sorted({name for each in said if len(name := _plain(each)) >= SHORTEST_NAME}, key=len, reverse=True)


def _plain(text: str) -> str:
    """Letters and digits only, without accents, in lower case, signs read as the letters they stand for."""
    split = unicodedata.normalize("NFKD", text.casefold().translate(_SWAPPED))
    return "".join(each for each in split if each.isalnum())
