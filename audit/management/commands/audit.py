"""`manage.py audit verify|export|search|prune|anchor`: the audit trail, for operators."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from audit import chain, export, selectors, services
from audit.models import PLATFORM
from audit.selectors import Wanted

_FILTERS = ("event_type", "outcome", "severity", "resource_type", "resource_id", "address", "request_id")


class Command(BaseCommand):
    help = "Prove that the audit trail is as it was recorded, search it, export it, forget what its policy no longer keeps."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["verify", "export", "search", "prune", "anchor"])
        parser.add_argument("--organization", help="An organization's id, or 'platform'; else all of them.")
        parser.add_argument("--anchors", help="verify: a log file whose anchors the trail must agree with.")
        parser.add_argument("--format", choices=sorted(export.FORMATS), default="ndjson", help="export: ndjson or csv.")
        parser.add_argument("--user", help="Who acted (an id).")
        parser.add_argument("--since", help="ISO 8601, with its offset.")
        parser.add_argument("--until", help="ISO 8601, with its offset.")
        parser.add_argument("--limit", type=int, default=50, help="search: the newest so many.")
        for name in _FILTERS:
            parser.add_argument(f"--{name.replace('_', '-')}", default="")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        # What was recorded a moment ago belongs to the trail too.
        chain.seal_all()
        getattr(self, f"_{action}")(options)

    def _verify(self, options: dict[str, Any]) -> None:
        anchors: tuple[chain.Anchor, ...] = ()
        if options["anchors"]:
            with open(options["anchors"], encoding="utf-8", errors="replace") as file:
                anchors = tuple(services.anchors_in(file))
        broken = 0
        for each in self._chains(options, also={anchor.chain for anchor in anchors}):
            found = chain.verify(each, anchors=anchors)
            said = "intact" if found.intact else f"BROKEN: {found.problem}"
            self.stdout.write(
                f"{chain.name_of(each)}: {found.events} events, to {found.head.sequence} {found.head.hash}: {said}"
            )
            broken += not found.intact
        if broken:
            raise CommandError(f"{broken} trails are not as they were recorded.")

    def _search(self, options: dict[str, Any]) -> None:
        for event in self._rows(options).order_by("-id")[: max(1, options["limit"])]:
            who = event.user_id or event.kind
            about = f" {event.resource_type} {event.resource_id}".rstrip()
            self.stdout.write(
                f"{event.created_at:%Y-%m-%d %H:%M:%S} {chain.name_of(event.chain)} {event.sequence or '-'} {event.event_type} "
                f"{event.action} {event.outcome} {event.severity} by {who} from {event.address or '-'}{about}"
            )

    def _export(self, options: dict[str, Any]) -> None:
        for piece in export.pieces(selectors.walk(self._rows(options)), options["format"]):
            self.stdout.write(piece.decode(), ending="")

    def _prune(self, options: dict[str, Any]) -> None:
        for each in self._chains(options):
            self.stdout.write(f"{chain.name_of(each)}: {services.prune(each)} events forgotten.")

    def _anchor(self, _options: dict[str, Any]) -> None:
        for head in selectors.heads():
            self.stdout.write(f"audit_anchor chain={head.pk} sequence={head.last_sequence} hash={head.last_hash}")

    def _rows(self, options: dict[str, Any]) -> Any:
        wanted = Wanted(
            **{name: options[name] for name in _FILTERS},
            user_id=_uuid(options["user"]) if options["user"] else None,
            since=_moment(options["since"]),
            until=_moment(options["until"]),
        )
        rows = selectors.anywhere(wanted)
        return rows.filter(chain=self._chain(options)) if options["organization"] else rows

    def _chains(self, options: dict[str, Any], also: set[UUID] = frozenset()) -> list[UUID]:  # type: ignore[assignment]
        return [self._chain(options)] if options["organization"] else sorted({*chain.chains(), *also})

    def _chain(self, options: dict[str, Any]) -> UUID:
        return PLATFORM if options["organization"] == "platform" else _uuid(options["organization"])


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise CommandError(f"'{given}' is not an id.") from error


def _moment(given: str | None) -> dt.datetime | None:
    if not given:
        return None
    try:
        found = parse_datetime(given)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"'{given}' is not a time.")
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
