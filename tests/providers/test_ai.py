"""Which model answers, what it costs, and the ledger."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.checks import run_checks
from pytest_httpserver import HTTPServer

from accounts.models import Organization
from ai.models import AiUsage
from ai.priced import Priced
from ai.pricing import cost_usd
from ai.selectors import KnownModel, known_models, llm_port
from ai.services import record_usage
from engine.ports import Completion, Prompt, Usage
from integrations.providers.llm.offline import OfflineRules


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("gpt-4", 0.0006),
        ("gpt-4-0613", 0.0006),
        ("gpt-4o", 0.00007),
        ("gpt-4o-2024-08-06", 0.00007),
        ("gpt-4o-mini", 0.000004),
        ("gpt-4.5-preview", 0.0),
        ("llama3", 0.0),
        ("offline-rules-1", 0.0),
        ("", 0.0),
    ],
)
def test_cost_follows_the_longest_name_that_fits(model: str, cost: float) -> None:
    assert cost_usd(model, prompt_tokens=12, completion_tokens=4) == cost


def test_price_is_added_to_the_providers_count() -> None:
    class Fixed:
        def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
            return Completion("x", None, Usage("openai", "gpt-4", 12, 4, duration_ms=7.0))

    usage = Priced(Fixed()).complete(Prompt(key="k", text="t"), timeout=1).usage
    assert usage == Usage("openai", "gpt-4", 12, 4, 0.0006, 7.0)


def test_offline_rules_answer_when_no_model_is_set_up() -> None:
    assert isinstance(llm_port(), OfflineRules)
    models = known_models()
    assert KnownModel("offline-rules-1", "offline", True) in models
    assert [each.id for each in models if each.available] == ["offline-rules-1"]


def test_key_makes_openais_models_available(settings) -> None:
    settings.OPENAI_API_KEY = "sk-marker"
    assert isinstance(llm_port(), Priced)
    assert KnownModel("gpt-4o", "openai", True) in known_models()
    assert "sk-marker" not in repr(llm_port())


@pytest.mark.usefixtures("loopback")
def test_base_url_without_a_key_is_enough(settings, server: HTTPServer) -> None:
    settings.OPENAI_BASE_URL = server.url_for("/v1")
    settings.DEFAULT_MODEL = "llama3"
    message = {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
    server.expect_request("/v1/chat/completions").respond_with_json({"model": "llama3", "choices": [message]})
    answer = llm_port().complete(Prompt(key="k", text="Available?"), timeout=10)
    assert (answer.text, answer.usage.model, answer.usage.cost_usd) == ("Yes.", "llama3", 0.0)
    assert [each for each in known_models() if each.available] == [
        KnownModel("llama3", "openai-compatible", True),
        KnownModel("offline-rules-1", "offline", True),
    ]


@pytest.mark.django_db
def test_usage_is_entered_in_one_statement_and_seen_by_its_organization_alone(django_assert_num_queries) -> None:
    ours, theirs = Organization.objects.create(name="Ours"), Organization.objects.create(name="Theirs")
    execution = uuid4()
    usages = [
        (execution, "score", Usage("openai", "gpt-4", 12, 4, 0.0006, 830.5)),
        (None, "", Usage("offline", "offline-rules-1", 50, 1)),
    ]
    with django_assert_num_queries(1):
        record_usage(organization_id=ours.pk, usages=usages)
    first, second = AiUsage.objects.of(ours.pk).order_by("-prompt_tokens").reverse()
    assert (first.execution_id, first.node_id, first.provider, first.model) == (execution, "score", "openai", "gpt-4")
    assert (first.prompt_tokens, first.completion_tokens) == (12, 4)
    assert (first.cost_usd, first.duration_ms) == (Decimal("0.000600"), 830.5)
    assert (second.execution_id, second.cost_usd) == (None, Decimal(0))
    assert not AiUsage.objects.of(theirs.pk).exists()


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("EGRESS_ALLOW", ["http://x/"], "integrations.E001"),
        ("SMTP_URL", "mail.example.com", "integrations.E002"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1", "integrations.E003"),
    ],
)
def test_unusable_setting_stops_the_start(settings, setting: str, value: object, problem: str) -> None:
    assert [each.id for each in run_checks() if str(each.id).startswith("integrations.")] == []
    setattr(settings, setting, value)
    assert [each.id for each in run_checks() if str(each.id).startswith("integrations.")] == [problem]
