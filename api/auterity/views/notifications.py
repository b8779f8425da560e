"""A person's own notifications: `/api/notifications`. The same stream is live on `/ws/notifications`."""

from __future__ import annotations

from typing import cast

from accounts.errors import NotAuthenticated
from api.auterity.bodies import notifications as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation
from api.needs import SIGNED_IN
from auterity.kernel.errors import InvalidInput
from notifications import selectors, services
from notifications.models import UserNotification


class NotificationsView(AuterityView):
    @operation(
        needs=SIGNED_IN,
        summary="List my notifications",
        query=bodies.NotificationQuery,
        answers={200: bodies.NotificationPage},
        raises=[NotAuthenticated, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """Newest first, announcements among them. Those of one kind that come soon after each other are one, with a `count`."""
        rows = selectors.inbox(call.actor, unread=call.query.unread, category=call.query.category)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(
            bodies.NotificationPage(
                notifications=[_notification(each) for each in found],
                unread_count=selectors.unread_count(call.actor),
                **page,
            )
        )


class NotificationsReadView(AuterityView):
    @operation(
        needs=SIGNED_IN,
        summary="Mark my notifications as read",
        body=bodies.NotificationsRead,
        answers={200: bodies.ReadNotifications},
        raises=[NotAuthenticated, InvalidInput],
    )
    def post(self, call: Call[bodies.NotificationsRead]) -> Answer:
        """Some, or all without `ids`. An id that is not in the caller's inbox is left out. Open sockets are told."""
        found = services.mark_read(actor=call.actor, ids=call.body.ids)
        return Answer(bodies.ReadNotifications(ids=found, unread_count=selectors.unread_count(call.actor)))


class NotificationPreferencesView(AuterityView):
    @operation(
        needs=SIGNED_IN,
        id="notification_preferences_get",
        summary="What I am told of",
        answers={200: bodies.NotificationPreferences},
        raises=[NotAuthenticated],
    )
    def get(self, call: Call[None]) -> Answer:
        """Every category, and whether the caller is told of it."""
        return Answer(_preferences(selectors.preferences(call.actor)))

    @operation(
        needs=SIGNED_IN,
        id="notification_preferences_update",
        summary="Say what I want to be told of",
        body=bodies.NotificationPreferences,
        answers={200: bodies.NotificationPreferences},
        raises=[NotAuthenticated, InvalidInput],
    )
    def put(self, call: Call[bodies.NotificationPreferences]) -> Answer:
        """A category that is not named stays as it is. What was told already stays in the inbox."""
        wanted = {str(name): told for name, told in call.body.categories.items()}
        return Answer(_preferences(services.set_preferences(actor=call.actor, wanted=wanted)))


def _preferences(found: dict[str, bool]) -> bodies.NotificationPreferences:
    return bodies.NotificationPreferences.model_validate({"categories": found})


def _notification(row: UserNotification) -> bodies.NotificationBody:
    announced = row.announcement
    return bodies.NotificationBody(
        type="system_announcement" if announced else "user_notification",
        id=row.pk,
        seq=row.seq,
        category=cast("bodies.NotificationCategory", row.category),
        severity=cast("bodies.NotificationSeverity", row.severity),
        title=row.title,
        message=row.message,
        link=row.link or None,
        data=row.data,
        count=row.count,
        read=row.read_at is not None,
        read_at=row.read_at,
        created_at=row.created_at,
        timestamp=row.created_at,
        announcement_id=announced.pk if announced else None,
        starts_at=announced.starts_at if announced else None,
        ends_at=announced.ends_at if announced else None,
    )
