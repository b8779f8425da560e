"""The sockets of the `auterity` dialect (`websockets.yaml`)."""

from django.urls import path

from api.auterity.consumers import ExecutionConsumer

urlpatterns = [path("ws/executions/<uuid:execution_id>", ExecutionConsumer.as_asgi())]
