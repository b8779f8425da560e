"""`Text`: a setting that is text, whatever its template gave."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from engine.expression_values import as_text

Text = Annotated[str, BeforeValidator(as_text)]
"""Text of one setting. A setting that is exactly one `{{ }}` keeps its value's type, so `{{ order.number }}` may be a
number; here it becomes text instead of an error (`schemas/node_configs.yaml`, "Templates")."""
