"""Bringing the product's own templates into the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from templates_app.entries import Entry, entries
from templates_app.models import WorkflowTemplate
from templates_app.versions import add_version, parameters_of, store_parameters


@dataclass(frozen=True, slots=True)
class Seeded:
    """What seeding did, by slug. `retired` ones left the catalogue: switched off, and kept for what refers to them."""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    retired: tuple[str, ...]
    unchanged: tuple[str, ...]


def seed_catalogue(given: Iterable[Entry] | None = None) -> Seeded:
    """Bring the stored catalogue to what the files say; doing it again changes nothing.

    A changed file raises the version; what an operator switched off stays off. Organizations' own templates are never
    looked at. Raises `BadEntry`.
    """
    wanted = {entry.slug: entry for entry in (entries() if given is None else given)}
    try:
        return _seed(wanted)
    except IntegrityError:
        # Another process seeded the same slugs at the same moment; this time they are there to be compared with.
        return _seed(wanted)


@transaction.atomic
def _seed(wanted: Mapping[str, Entry]) -> Seeded:
    stored = {
        each.slug: each
        for each in WorkflowTemplate.unscoped.select_for_update().filter(slug__isnull=False).order_by("slug")
    }
    created = [slug for slug in wanted if slug not in stored]
    updated = [slug for slug in wanted if slug in stored and _content(stored[slug]) != _wanted(wanted[slug])]
    retired = [slug for slug in stored if slug not in wanted]
    for slug in created:
        _store(WorkflowTemplate(slug=slug, is_public=True), wanted[slug])
    for slug in updated:
        stored[slug].version += 1
        _store(stored[slug], wanted[slug])
    WorkflowTemplate.unscoped.filter(slug__in=retired).update(is_active=False, slug=None)
    unchanged = wanted.keys() - {*created, *updated}
    return Seeded(tuple(created), tuple(updated), tuple(retired), tuple(sorted(unchanged)))


_FIELDS = ("name", "description", "category", "tags", "definition")


def _wanted(entry: Entry) -> dict[str, Any]:
    said = entry.model_dump(mode="json")
    return {name: said[name] for name in (*_FIELDS, "parameters")}


def _content(template: WorkflowTemplate) -> dict[str, Any]:
    """What is stored, in the form of `_wanted`."""
    return {**{name: getattr(template, name) for name in _FIELDS}, "parameters": parameters_of(template)}


def _store(template: WorkflowTemplate, entry: Entry) -> None:
    said = _wanted(entry)
    for name in _FIELDS:
        setattr(template, name, said[name])
    template.save()
    store_parameters(template, said["parameters"])
    add_version(template, said["parameters"], by=None)
