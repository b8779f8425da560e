"""What Django remembers of operators' acts names the rows they changed: a person by their address, a workflow by its name.

The acts stay, and who did them; of what is erased the name goes.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q

from accounts.models import Organization, User
from privacy import rows
from privacy.inventory import children_first

ERASED = "Erased"


def forget_person(user_id: UUID, address: str) -> int:
    """Returns of how many entries the name was taken."""
    about = Q(content_type=_type(User), object_id=str(user_id))
    if address:
        about |= Q(object_repr__icontains=address) | Q(change_message__icontains=address)
    return LogEntry.objects.filter(about).exclude(object_repr=ERASED).update(object_repr=ERASED, change_message="")


def forget_organization(organization_id: UUID) -> int:
    """While its rows are still there, by which it is known whose they are. Returns of how many entries the name was taken."""
    mine = Q(content_type=_type(Organization), object_id=str(organization_id))
    for table in children_first():
        entries = LogEntry.objects.filter(content_type=_type(table.model)).exclude(object_repr=ERASED)
        named = {each for each in entries.values_list("object_id", flat=True) if each}
        if named:
            theirs = rows.of_organization(table, organization_id).filter(pk__in=named)
            mine |= Q(
                content_type=_type(table.model),
                object_id__in=[str(each) for each in theirs.values_list("pk", flat=True)],
            )
    return LogEntry.objects.filter(mine).exclude(object_repr=ERASED).update(object_repr=ERASED, change_message="")


def _type(model: type) -> ContentType:
    return ContentType.objects.get_for_model(model)
