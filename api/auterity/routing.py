"""The sockets of the `auterity` dialect (`websockets.yaml`)."""

from django.urls import path, re_path

from api.auterity.clients import ClientConsumer
from api.auterity.collaboration import CollaborationConsumer
from api.auterity.consumers import ExecutionConsumer
from api.auterity.notification_socket import NotificationConsumer

urlpatterns = [
    path("ws/executions/<uuid:execution_id>", ExecutionConsumer.as_asgi()),
    path("ws/workflows/<uuid:workflow_id>/collaboration", CollaborationConsumer.as_asgi()),
    path("ws/notifications", NotificationConsumer.as_asgi()),
]

# 001's, after the fixed paths of every dialect, whose names are no client's.
CLIENT = re_path(
    r"^ws/(?!(?:executions|workflows|notifications|chat)$)(?P<client_id>[A-Za-z0-9._-]{1,64})$",
    ClientConsumer.as_asgi(),
)
