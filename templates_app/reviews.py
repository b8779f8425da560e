"""What people think of templates: one review for each person and template.

Everybody who sees a template may review it, its maker among them: 000 and 001 know no refusal here, and a review says whose
it is. The rating is the mean of the stored reviews, reckoned when it is read, so that no two writers can make it untrue.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from auterity.kernel.access import Actor
from auterity.kernel.errors import FieldProblem, InvalidInput
from templates_app import selectors
from templates_app.errors import NotYourReview, ReviewNotFound
from templates_app.models import TemplateReview

MAX_COMMENT = 2000  # characters


def list_reviews(*, actor: Actor, template_id: UUID) -> QuerySet[TemplateReview]:
    """Newest first, lazily. Raises `TemplateNotFound`."""
    template = selectors.get_template(actor=actor, template_id=template_id)
    found: QuerySet[TemplateReview] = TemplateReview.objects.visible_to(actor).filter(template=template)
    return found.order_by("-updated_at", "-id")


@transaction.atomic
def put_review(*, actor: Actor, template_id: UUID, rating: int, comment: str | None = None) -> TemplateReview:
    """Store the actor's review, in the place of an earlier one. Raises `TemplateNotFound` or `InvalidInput`."""
    template = selectors.get_template(actor=actor, template_id=template_id)
    problems = []
    if isinstance(rating, bool) or not 1 <= rating <= 5:
        problems.append(FieldProblem("rating", "A rating is a whole number from 1 to 5."))
    if comment is not None and len(comment) > MAX_COMMENT:
        problems.append(FieldProblem("comment", f"A comment has at most {MAX_COMMENT:,} characters."))
    if problems:
        raise InvalidInput(problems)
    review, _ = TemplateReview.unscoped.update_or_create(
        template=template, user_id=actor.user_id, defaults={"rating": rating, "comment": comment}
    )
    found: TemplateReview = review
    return found


@transaction.atomic
def delete_review(*, actor: Actor, template_id: UUID, review_id: UUID) -> None:
    """Take the actor's own review back. Raises `TemplateNotFound`, `ReviewNotFound` or `NotYourReview`."""
    review = list_reviews(actor=actor, template_id=template_id).filter(id=review_id).first()
    if review is None:
        raise ReviewNotFound
    if review.user_id != actor.user_id:
        raise NotYourReview
    review.delete()
