"""What an estate's people have beside what they work with: passkeys, other accounts, exports, alerts, what they were told."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.load.estate import Estate

WEEK = dt.timedelta(days=7)


def furnish(made: Estate) -> None:
    _ways_to_sign_in(made)
    _alerts(made)
    _data(made)


def _ways_to_sign_in(made: Estate) -> None:
    from identity.models import ExternalIdentity, OAuthGrant, Passkey, SsoProvider
    from tests.load.estate import PASSWORD

    ids, marker, owner = made.ids, made.marker, made.owner
    totp = owner.api.made("/api/auth/second-factors/totp", {"label": marker, "password": PASSWORD})
    ids["setup_id"] = str(totp["setup_id"])
    begun = owner.api.made("/api/v1/webauthn/register/begin", {"nickname": marker})
    ids["challenge_id"] = str(begun["data"]["challenge_id"])
    passkey = Passkey.objects.create(
        user_id=owner.actor.user_id, credential_id=f"{marker}-credential", public_key=b"\x01", nickname=marker,
        aaguid=uuid.uuid4(), user_verified=True,
        suspended_at=dt.datetime.now(dt.UTC),  # So nobody is asked for it.
    )  # fmt: skip
    ids["passkey_id"], ids["credential_id"] = str(passkey.pk), passkey.credential_id
    provider = SsoProvider.unscoped.create(
        organization_id=made.organization_id, name=marker, issuer=f"https://{marker}.invalid", client_id=marker,
        allowed_domains=[f"{marker}.example.com"],
    )  # fmt: skip
    ids["provider_id"] = str(provider.pk)
    other = ExternalIdentity.objects.create(
        user_id=owner.actor.user_id, provider=provider, issuer=provider.issuer, subject=marker, email=owner.email
    )
    ids["identity_id"] = str(other.pk)
    google = ExternalIdentity.objects.create(
        user_id=owner.actor.user_id, issuer="https://accounts.google.com", subject=marker, email=owner.email
    )
    OAuthGrant.unscoped.create(
        organization_id=made.organization_id, user_id=owner.actor.user_id, identity=google, last_error=marker
    )


def _alerts(made: Estate) -> None:
    from django.utils import timezone

    from audit.models import AuditEvent
    from notifications.models import Inbox, UserNotification
    from security.models import Threat

    ids, marker, owner, now = made.ids, made.marker, made.owner, timezone.now()
    about = {"organization_id": made.organization_id}
    rule = {
        "name": marker, "metric": "failed_logins", "condition": {"operator": "gte", "threshold": 5, "window_minutes": 60},
        "channels": [{"type": "email", "target": owner.email}],
    }  # fmt: skip
    ids["alert_id"] = str(owner.api.made("/api/v1/security-metrics/alerts/configure", rule)["data"]["id"])
    event = AuditEvent.objects.of(owner.actor).latest("pk")
    ids["event_id"] = str(event.pk)
    ids["request_id"] = str(event.request_id or uuid.uuid4())
    threat = Threat.unscoped.create(
        **about, chain=made.organization_id, type="brute_force", source=marker, score=50, user_id=owner.actor.user_id,
        events=7, first_seen_at=now, last_seen_at=now, threshold=5, window_seconds=600,
    )  # fmt: skip
    ids["threat_id"] = str(threat.pk)
    inbox, _ = Inbox.unscoped.get_or_create(**about, user_id=owner.actor.user_id)
    inbox.last_seq += 1
    inbox.save()
    told = UserNotification.unscoped.create(
        **about, user_id=owner.actor.user_id, seq=inbox.last_seq, category="security", severity="info", title=marker,
        message=marker,
    )  # fmt: skip
    ids["notification_id"] = str(told.pk)


def _data(made: Estate) -> None:
    from django.utils import timezone

    from integrations.models import DmsCustomer, DmsVehicle, MessageTemplate
    from native.models import SentFile, SyncedChange
    from privacy.models import DataExport

    ids, marker, now = made.ids, made.marker, timezone.now()
    about = {"organization_id": made.organization_id}
    export = DataExport.unscoped.create(
        **about, subject="organization", user_id=made.owner.actor.user_id, status="completed", file_id=ids["file_id"],
        size=1, completed_at=now, expires_at=now + WEEK,
    )  # fmt: skip
    ids["export_id"] = str(export.pk)
    ids["client_change_id"], ids["client_upload_id"] = str(uuid.uuid4()), str(uuid.uuid4())
    SyncedChange.unscoped.create(
        **about, user_id=made.owner.actor.user_id, change_id=ids["client_change_id"], collection="workflow_drafts",
        given_id=ids["workflow_id"], row_id=ids["workflow_id"], version=1, digest="0" * 64,
    )  # fmt: skip
    SentFile.unscoped.create(
        **about, user_id=made.owner.actor.user_id, file_id=ids["file_id"], purpose="attachment",
        client_upload_id=ids["client_upload_id"],
    )  # fmt: skip
    theirs = {**about, "integration_id": ids["integration_id"], "last_updated": now}
    customer = DmsCustomer.unscoped.create(**theirs, dms_customer_id=f"{marker}-customer", last_name=marker)
    ids["dms_customer_id"] = customer.dms_customer_id
    DmsVehicle.unscoped.create(**theirs, dms_vehicle_id=marker, dms_customer_id=customer.dms_customer_id, make=marker)
    letter = MessageTemplate.unscoped.create(**about, name=f"{marker}-letter", subject=marker, text=marker, html=marker)
    ids["message_template"] = letter.name
