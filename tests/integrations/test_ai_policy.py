"""An organization names the AI providers that its prompts may be sent to."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import policy_changes
from engine.ports import Prompt, Rejected
from executions.gateway import ports_of
from integrations.models import Connection
from tests.api.people import Person, refusal
from tests.integrations.test_ai_api import ASK, PATH, asked, says, upstream

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["upstream"]


def test_a_provider_that_is_not_named_is_asked_nothing(
    ann: Person, member: Person, otto: Person, upstream: Any
) -> None:
    says(upstream, {"content": "A summary."})
    policy_changes.change(actor=ann.actor, changes={"ai_providers": ["azure"]})
    refusal(member.api.post(PATH, ASK), 403, "AUTH_003")
    with pytest.raises(Rejected, match="does not allow"):
        ports_of(ann.actor.organization_id).llm.complete(Prompt(key="k", text="t", model="gpt-4"), timeout=5)
    assert asked(upstream) == []
    assert otto.api.made(PATH, ASK)["object"] == "chat.completion"
    policy_changes.change(actor=ann.actor, changes={"ai_providers": ["OpenAI-compatible"]})
    assert member.api.made(PATH, ASK)["object"] == "chat.completion"
    made = ports_of(ann.actor.organization_id).llm.complete(Prompt(key="k", text="t", model="gpt-4"), timeout=5)
    assert made.text == "A summary."
    assert len(asked(upstream)) == 3


def test_a_connection_is_asked_by_its_type(ann: Person, upstream: Any) -> None:
    says(upstream, {"content": "A summary."})
    config = {"base_url": upstream.url_for("/v1"), "default_model": "gpt-4"}
    ann.api.made(
        "/api/integrations/connections",
        {"name": "ours", "type": "openai", "config": config, "credentials": {"api_key": "k"}},
    )
    row = Connection.objects.of(ann.actor).get()
    port = ports_of(ann.actor.organization_id).connections.llm(str(row.pk))
    policy_changes.change(actor=ann.actor, changes={"ai_providers": ["azure"]})
    with pytest.raises(Rejected, match="does not allow"):
        port.complete(Prompt(key="k", text="t", model="gpt-4"), timeout=5)
    policy_changes.change(actor=ann.actor, changes={"ai_providers": [row.type]})
    assert port.complete(Prompt(key="k", text="t", model="gpt-4"), timeout=5).text == "A summary."
