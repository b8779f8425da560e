"""What people type about themselves, made storable or refused with every problem at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts import password_rules, policies
from accounts.errors import PasswordReused, PasswordWeak
from accounts.models import Organization, User, normal_email
from accounts.policies import Rules
from auterity.kernel.access import Role
from auterity.kernel.errors import FieldProblem, InvalidInput

EMAIL_LENGTH = 254
NAME_LENGTH = 150
COMPANY_LENGTH = 200
_USERNAME = re.compile(r"[A-Za-z0-9_.@+-]{3,150}")
PASSWORD_LENGTH = 1024  # Bounds the work of hashing; nobody types more.


@dataclass(frozen=True, slots=True)
class Person:
    """A person's checked and tidied fields."""

    email: str
    password: str = field(repr=False)
    first_name: str
    last_name: str
    company: str | None
    username: str | None = None


def storable(text: str) -> bool:
    """Whether databases and hashes take the text: no NUL, no half of a surrogate pair (JSON can carry both)."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def person(
    *,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    company: str | None = None,
    username: str | None = None,
    one_name: bool = False,
    joins: Organization | None = None,
) -> Person:
    """Check what a registration sends; with `one_name` there is no last name. Who `joins` an organization has a password by its
    rules. Raises `InvalidInput` naming every wrong field."""
    problems: list[FieldProblem] = []
    checked = Person(
        email=_email(email, problems),
        password=password,
        first_name=_text("first_name", first_name, NAME_LENGTH, problems),
        last_name="" if one_name else _text("last_name", last_name, NAME_LENGTH, problems),
        company=_text("company", company, COMPANY_LENGTH, problems) if company and company.strip() else None,
        username=None if username is None else _username(username, email, problems),
    )
    if joins is None:
        _check_password(checked, problems)
    else:
        _check_password(checked, problems, policies.of(joins.pk), [] if joins.is_personal else [joins.name])
    if problems:
        raise InvalidInput(problems)
    return checked


def email(value: str) -> str:
    """An address in the one spelling that is stored. Raises `InvalidInput`."""
    problems: list[FieldProblem] = []
    value = _email(value, problems)
    if problems:
        raise InvalidInput(problems)
    return value


def new_password(password: str, owner: User, field: str = "password") -> None:
    """Whether somebody may have this password instead of theirs. Raises `PasswordWeak` or `PasswordReused` naming `field`."""
    problems: list[FieldProblem] = []
    checked = Person(owner.email, password, owner.first_name, owner.last_name, None)
    _check_password(checked, problems, policies.for_person(owner.pk), password_rules.organizations_of(owner))
    if problems:
        raise PasswordWeak([FieldProblem(field, each.message, each.code) for each in problems])
    if found := password_rules.reused(password, owner, policies.for_person(owner.pk).password_history):
        raise PasswordReused([FieldProblem(field, each.message, each.code) for each in found])


def organization_name(name: str) -> str:
    """Raises `InvalidInput` when the name is blank, longer than 200 or holds control characters."""
    problems: list[FieldProblem] = []
    name = _text("name", name, COMPANY_LENGTH, problems)
    if problems:
        raise InvalidInput(problems)
    return name


def role(names: Sequence[str], field: str = "roles") -> Role:
    """The highest of the roles a client names; `user` is the documents' word for a member. Raises `InvalidInput`."""
    known = {"user": Role.MEMBER, **{role.value: role for role in Role}}
    if not names:
        raise InvalidInput.of(field, "Name at least one role.", "required")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidInput.of(field, f"Unknown role {unknown[0]!r}. Known are {', '.join(known)}.")
    ranks = list(Role)
    return max((known[name] for name in names), key=ranks.index)


def _text(name: str, value: str, longest: int, problems: list[FieldProblem]) -> str:
    value = value.strip()
    if not value:
        problems.append(FieldProblem(name, "This field must not be blank.", "required"))
    elif len(value) > longest:
        problems.append(FieldProblem(name, f"At most {longest} characters are allowed."))
    elif not storable(value) or any(unicodedata.category(character) == "Cc" for character in value):
        problems.append(FieldProblem(name, "Control characters are not allowed.", "format"))
    return value


def _username(value: str, email: str, problems: list[FieldProblem]) -> str:
    """One with an @ could be somebody's address, and then would let its owner be mistaken for them."""
    if not _USERNAME.fullmatch(value):
        problems.append(FieldProblem("username", "3 to 150 letters, digits and _ . @ + - are allowed.", "format"))
    elif "@" in value and normal_email(value) != normal_email(email):
        problems.append(FieldProblem("username", "A name with an @ must be your own address."))
    return value


def _email(value: str, problems: list[FieldProblem]) -> str:
    value = normal_email(value)
    if not value:
        problems.append(FieldProblem("email", "This field must not be blank.", "required"))
    elif len(value) > EMAIL_LENGTH:
        problems.append(FieldProblem("email", f"At most {EMAIL_LENGTH} characters are allowed."))
    else:
        try:
            validate_email(value)
        except ValidationError:
            problems.append(FieldProblem("email", "This is not a valid email address.", "format"))
    return value


def _check_password(
    person: Person,
    problems: list[FieldProblem],
    rules: Rules = policies.DEFAULT,
    organizations: Sequence[str] = (),
) -> None:
    if not person.password:
        problems.append(FieldProblem("password", "This field must not be blank.", "required"))
    elif len(person.password) > PASSWORD_LENGTH:
        problems.append(FieldProblem("password", f"At most {PASSWORD_LENGTH} characters are allowed."))
    elif not storable(person.password):
        problems.append(FieldProblem("password", "This password holds characters that cannot be stored.", "format"))
    else:
        owner = User(email=person.email, first_name=person.first_name, last_name=person.last_name)
        names = [*organizations, *([person.company] if person.company else [])]
        problems += password_rules.problems(person.password, owner, rules, names)
