"""The shape of a refusal of 004."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from api.workflow_engine.bodies.errors import Refusal


class WrongField(BaseModel):
    field: str
    message: str


class BusinessRefusal(Refusal):
    """`detail` is 004's; the rest is there for clients of 003, which shares these addresses."""

    errors: Annotated[list[WrongField] | None, Field(description="For a 422: what is wrong with which field.")] = None
