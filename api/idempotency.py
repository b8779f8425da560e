"""`Idempotency-Key`: the same key and body within 24 hours get the first answer, and nothing is done twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from api.answered import open_answer, seal_answer
from api.models import IdempotencyRecord
from api.problems import IdempotencyMismatch
from auterity.kernel.access import Actor
from auterity.kernel.errors import FieldProblem, InvalidInput

HOURS = 24


def once(actor: Actor, request: Request, key: str, act: Callable[[], Response]) -> Response:
    """Do it once for a key. The record and what it created are one transaction; whoever comes second gets the first answer.

    Raises `IdempotencyMismatch` where the key came with another body before.
    """
    if len(key) > 255:
        raise InvalidInput([FieldProblem("Idempotency-Key", "This may have at most 255 characters.")])
    # Keyed, so that nobody who reads the table can try out what a body held, such as a password.
    asked = orjson.dumps([request.method, request.get_full_path(), request.data], option=orjson.OPT_SORT_KEYS)
    digest = salted_hmac("idempotency", asked, algorithm="sha256").hexdigest()
    # A key is one person's, or one API key's: somebody else's first answer would show what its reader may not see.
    endpoint = f"{actor.key_id or actor.user_id} {request.method} {request.path_info}"[:200]
    known = IdempotencyRecord.objects.of(actor).filter(endpoint=endpoint, key=key)
    known.filter(created_at__lt=timezone.now() - dt.timedelta(hours=HOURS)).delete()
    try:
        with transaction.atomic():
            record = IdempotencyRecord(
                organization_id=actor.organization_id, endpoint=endpoint, key=key, request_hash=digest
            )
            record.save(force_insert=True)
            response = act()
            record.status, record.sealed = response.status_code, seal_answer(record, response.data)
            record.save(update_fields=["status", "sealed"])
            return response
    except IntegrityError:
        first = known.first()
        if first is None or first.status is None:
            raise
    if first.request_hash != digest:
        raise IdempotencyMismatch
    return Response(open_answer(first), status=first.status, headers={"Idempotent-Replayed": "true"})


def forgotten_answers(organization_id: UUID, now: dt.datetime) -> QuerySet[IdempotencyRecord]:
    """Answers that no key gets any more."""
    rows: QuerySet[IdempotencyRecord] = IdempotencyRecord.objects.of(organization_id)
    return rows.filter(created_at__lt=now - dt.timedelta(hours=HOURS))
