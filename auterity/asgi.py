"""The server's entry: HTTP to Django, sockets to the dialects' consumers, and the embedded worker's life."""

import os

import django

from auterity.kernel.memory import begin_loading

begin_loading()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auterity.settings.dev")
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  Django must be set up before consumers are imported.

from api.auterity.routing import CLIENT, urlpatterns  # noqa: E402  As above.
from api.socket_door import with_hidden_credentials  # noqa: E402  As above.
from api.sockets import no_such_socket  # noqa: E402  As above.
from auterity.embedded import with_lifespan  # noqa: E402  As above.
from auterity.http import ThreadedHandler  # noqa: E402  As above.

application = with_lifespan(
    ProtocolTypeRouter(
        {
            "http": ThreadedHandler(),
            "websocket": with_hidden_credentials(URLRouter([*urlpatterns, CLIENT, no_such_socket])),
        }
    )
)
