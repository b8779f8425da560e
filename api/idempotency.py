"""`Idempotency-Key`: the same key and body within 24 hours get the first answer, and nothing is done twice."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

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
    digest = hashlib.sha256(
        orjson.dumps([request.method, request.get_full_path(), request.data], option=orjson.OPT_SORT_KEYS)
    )
    # A key is one person's, or one API key's: somebody else's first answer would show what its reader may not see.
    endpoint = f"{actor.key_id or actor.user_id} {request.method} {request.path_info}"[:200]
    known = IdempotencyRecord.objects.of(actor).filter(endpoint=endpoint, key=key)
    known.filter(created_at__lt=timezone.now() - dt.timedelta(hours=HOURS)).delete()
    try:
        with transaction.atomic():
            record = IdempotencyRecord(
                organization_id=actor.organization_id, endpoint=endpoint, key=key, request_hash=digest.hexdigest()
            )
            record.save(force_insert=True)
            response = act()
            record.status, record.body = response.status_code, response.data
            record.save(update_fields=["status", "body"])
            return response
    except IntegrityError:
        first = known.first()
        if first is None or first.status is None:
            raise
    if first.request_hash != digest.hexdigest():
        raise IdempotencyMismatch
    return Response(first.body, status=first.status, headers={"Idempotent-Replayed": "true"})


def forgotten_answers(organization_id: UUID, now: dt.datetime) -> QuerySet[IdempotencyRecord]:
    """Answers that no key gets any more."""
    rows: QuerySet[IdempotencyRecord] = IdempotencyRecord.objects.of(organization_id)
    return rows.filter(created_at__lt=now - dt.timedelta(hours=HOURS))
