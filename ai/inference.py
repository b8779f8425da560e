"""Asking a model of the organization's own, through the connection that holds its address and key."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ai.errors import CustomModelNotFound
from ai.selectors import custom_model
from engine.ports import Inference, Inferred, Rejected, Usage
from integrations.connected import connected, looking_up

PROVIDER = "custom-model"


@dataclass(frozen=True, slots=True)
class StoredModels:
    """`ModelsPort` over the organization's registry."""

    organization_id: UUID

    def infer(self, inference: Inference, *, timeout: float) -> Inferred:
        """One question: `{model_id, version, input, parameters}`. Raises Rejected or Unavailable.

        An answer with an `output` is taken as 000's CustomModelResponse, any other object as the output itself.
        """
        with looking_up():
            try:
                found = custom_model(
                    organization_id=self.organization_id, model_id=inference.model_id, version=inference.version
                )
            except CustomModelNotFound as error:
                raise Rejected(error.message) from None
            if found.connection_id is None:
                raise Rejected(f"The connection of the model '{found.model_id}' was deleted; register it again.")
        endpoint = connected(organization_id=self.organization_id, kind="model", connection_id=str(found.connection_id))
        question = {
            "model_id": found.model_id,
            "version": found.version,
            "input": dict(inference.input),
            "parameters": dict(inference.parameters),
        }
        started = time.perf_counter()
        answer = endpoint.ask(question, key=inference.key, timeout=timeout)
        duration_ms = (time.perf_counter() - started) * 1000
        usage = Usage(
            PROVIDER,
            f"{found.model_id}:{found.version}",
            prompt_tokens=_count(answer, "prompt_tokens"),
            completion_tokens=_count(answer, "completion_tokens"),
            duration_ms=duration_ms,
        )
        score, metadata = answer.get("confidence_score"), answer.get("metadata")
        return Inferred(
            model_id=found.model_id,
            version=found.version,
            output=_output(answer),
            confidence_score=float(score) if isinstance(score, (int, float)) and not isinstance(score, bool) else None,
            metadata=metadata if isinstance(metadata, dict) else None,
            usage=usage,
        )


def _output(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    output = answer.get("output", answer)
    return output if isinstance(output, dict) else {"value": output}


def _count(answer: Mapping[str, Any], name: str) -> int:
    """Tokens as the model counted them, 0 where it counts none."""
    usage = answer.get("usage")
    counted = usage.get(name) if isinstance(usage, dict) else None
    return counted if isinstance(counted, int) and 0 <= counted < 2**31 else 0
