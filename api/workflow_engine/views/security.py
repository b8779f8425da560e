"""Tiers (router 7) and enterprise security (router 8): what is demanded, what is recorded, whether it holds."""

from __future__ import annotations

from django.conf import settings

from accounts import tiers
from accounts.errors import NotAuthenticated
from accounts.policies import Tier
from api.base import Answer, Call, operation
from api.needs import PERSON, SIGNED_IN
from api.workflow_engine.bodies import security as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from security import compliance, rules, services, upgrades
from security.errors import ReservedEvent, TierAlreadyHeld, TierNotAllowed
from security.models import TierUpgrade

NO_STORE = {"Cache-Control": "no-store"}
SELF_CHECK = "A self-check of what is stored here, and no certificate."


class TierCurrentView(WorkflowEngineView):
    @operation(
        id="security_tier_current",
        needs=PERSON,
        summary="Your security tier",
        answers={200: bodies.TierStanding},
        raises=[NotAuthenticated],
    )
    def get(self, call: Call[None]) -> Answer:
        """Recomputed from what is so now: a tier is lost as soon as one of its factors is."""
        found = upgrades.standing(actor=call.actor)
        return Answer(
            bodies.TierStanding(
                tier=found.tier.value,
                since=found.since,
                enforced_minimum=found.enforced_minimum.value,
                satisfied=found.satisfied,
                missing_for_next=found.missing_for_next,
                next_tier=found.next_tier.value if found.next_tier else None,
                unlocks=found.unlocks,
                review_at=found.review_at,
                pending_upgrade=_pending(found.pending) if found.pending else None,
            ),
            headers=NO_STORE,
        )


class TierUpgradeView(WorkflowEngineView):
    @operation(
        id="security_tier_upgrade",
        needs=PERSON,
        summary="Ask for a higher tier",
        body=bodies.TierUpgradeWish,
        answers={200: bodies.TierUpgradeBody, 202: bodies.TierUpgradeBody},
        raises=[NotAuthenticated, InvalidInput, TierAlreadyHeld, TierNotAllowed],
    )
    def post(self, call: Call[bodies.TierUpgradeWish]) -> Answer:
        """Granted at once (200) where nothing is missing, else it waits for 7 days (202) and is granted by itself."""
        target = Tier(call.body.target_tier)
        made = upgrades.upgrade(actor=call.actor, target=target, reason=call.body.reason)
        granted = made.row.granted_at is not None
        wanted = [
            bodies.UpgradeRequirement(
                code=each.value, met=each in made.met, how=upgrades.WAYS[each].how, action_path=upgrades.WAYS[each].path
            )
            for each in upgrades.TAKES[target]
        ]
        body = bodies.TierUpgradeBody(
            upgrade_id=made.row.pk,
            target_tier=target.value,
            status="granted" if granted else "pending",
            current_tier=made.current.value,
            requirements=wanted,
            granted_at=made.row.granted_at,
            expires_at=None if granted else made.row.expires_at,
            unlocks=upgrades.unlocked_by(target),
        )
        return Answer(body, 200 if granted else 202, headers=NO_STORE)


class TierRequirementsView(WorkflowEngineView):
    @operation(
        id="security_tier_requirements",
        needs=PERSON,
        summary="What each tier takes",
        query=bodies.TierQuery,
        answers={200: bodies.TierDefinitions},
        raises=[NotAuthenticated, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """And what each opens; `met` is for you. Of an authenticator and a passkey one is enough for the second."""
        met = upgrades.standing(actor=call.actor).satisfied
        found = [_tier(each, met) for each in Tier if call.query.tier in (None, each.value)]
        return Answer(bodies.TierDefinitions(tiers=found), headers=NO_STORE)


class EnterprisePoliciesView(WorkflowEngineView):
    @operation(
        id="enterprise_security_policies",
        needs=PERSON,
        summary="The policies in force",
        query=bodies.PolicyQuery,
        answers={200: bodies.EffectivePolicies},
        raises=[NotAuthenticated, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Those that bind you, and whether you comply; admins see all of them. The enforcing code reads the same values."""
        found = rules.listed(actor=call.actor, category=call.query.category or "")
        shown = [
            bodies.EffectivePolicy(
                key=each.shown.key,
                category=each.shown.category.value,
                title=each.shown.title,
                description=each.shown.meaning,
                value=each.shown.value,
                default=each.shown.default,
                enforced=each.shown.enforced,
                applies_to_roles=list(each.applies_to_roles),
                compliant=each.compliant,
                remedy=each.remedy,
            )
            for each in found.policies
        ]
        return Answer(
            bodies.EffectivePolicies(
                organization_id=found.organization_id,
                version=found.version,
                updated_at=found.updated_at,
                policies=shown,
            ),
            headers=NO_STORE,
        )


class AuditLogView(WorkflowEngineView):
    @operation(
        id="enterprise_security_audit_log",
        needs=SIGNED_IN,
        summary="Add an event to the audit trail",
        body=bodies.AuditLogEntry,
        answers={201: bodies.AuditLogged},
        raises=[NotAuthenticated, InvalidInput, ReservedEvent],
        creates=True,
    )
    def post(self, call: Call[bodies.AuditLogEntry]) -> Answer:
        """An event of another system's, chained to the one before it. Secrets in `details` are masked."""
        event = services.log_event(actor=call.actor, **call.body.model_dump())
        return Answer(
            bodies.AuditLogged(
                event_id=event.pk,
                sequence=event.sequence or 0,
                hash=event.hash,
                previous_hash=event.previous_hash,
                recorded_at=event.created_at,
            ),
            201,
        )


class ComplianceView(WorkflowEngineView):
    @operation(
        id="enterprise_security_compliance_status",
        needs=Permission.AUDIT_READ,
        summary="Whether the controls hold",
        query=bodies.ComplianceQuery,
        answers={200: bodies.ComplianceStatus},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
        says=SELF_CHECK,
    )
    def get(self, call: Call[None]) -> Answer:
        """Each control counts something in the database now and shows what it counted. Kept for a minute."""
        found = compliance.status(actor=call.actor, framework=call.query.framework)
        return Answer(_compliance(found), headers=NO_STORE)


def _pending(row: TierUpgrade) -> bodies.PendingUpgrade:
    return bodies.PendingUpgrade.model_validate(
        {"upgrade_id": row.pk, "target": row.target, "status": row.status, "expires_at": row.expires_at}
    )


def _tier(tier: Tier, met: list[str]) -> bodies.TierDefinition:
    wanted = [
        {
            "code": each.value,
            "description": upgrades.WAYS[each].description,
            "max_age_seconds": upgrades.WAYS[each].max_age_seconds,
            "met": each.value in met,
        }
        for each in upgrades.TAKES[tier]
    ]
    opens = [{"capability": name, "description": said} for name, said in tiers.UNLOCKS[tier].items()]
    return bodies.TierDefinition.model_validate(
        {
            "tier": tier.value,
            "rank": tiers.RANKS[tier],
            "description": upgrades.MEANS[tier],
            "requirements": wanted,
            "unlocks": opens,
            "session_lifetime_seconds": int(settings.REFRESH_WINDOW.total_seconds()),
        }
    )


def _compliance(found: compliance.Status) -> bodies.ComplianceStatus:
    controls = [
        {
            "id": each.control.id,
            "title": each.control.title,
            "status": each.found.status,
            "evidence": {"query": each.found.query, "count": each.found.count, "sample_ids": each.found.samples},
            "remedy": None
            if each.found.status in (compliance.PASS, compliance.NOT_APPLICABLE)
            else each.control.remedy,
        }
        for each in found.results
    ]
    return bodies.ComplianceStatus.model_validate(
        {
            "framework": found.framework,
            "status": found.status,
            "score": found.score,
            "checked_at": found.checked_at,
            "controls": controls,
            "audit_chain": {
                "intact": found.audit.intact,
                "checked_events": found.audit.events,
                "first_broken_sequence": found.audit.first_broken,
            },
            "users": {
                "total": found.users,
                "mfa_enabled": found.mfa_enabled,
                "stale_90d": found.stale,
                "over_privileged": found.over_privileged,
            },
        }
    )
