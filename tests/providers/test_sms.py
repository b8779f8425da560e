"""Text messages against simulators of Twilio's and MessageBird's protocols on loopback, and the rows of the default provider."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from accounts.models import Organization
from engine.ports import NotConfigured, Rejected, Sms, SmsReceipt, Unavailable, Unknown
from integrations.connection_types import CONNECTION_TYPES
from integrations.mail import digest
from integrations.models import StoredSms
from integrations.selectors import sms_port
from integrations.sms import sms_by_url

pytestmark = pytest.mark.usefixtures("loopback")

SECRET = "sms-marker-secret"
BEGAN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
FROM = "+15125550100"


def sms(**more: Any) -> Sms:
    return Sms(
        **{"key": "run/sms/0", "to": "+15125550143", "text": "Hi Ann", "asked_at": "2026-11-20T09:00:00.000Z"} | more
    )


@dataclass
class TwilioSim:
    """The two doors of Twilio's API that are used: it keeps what was sent and lists the newest first."""

    server: HTTPServer
    messages: list[dict[str, Any]] = field(default_factory=list)
    change: Callable[[str], str] = str

    def __post_init__(self) -> None:
        path = "/2010-04-01/Accounts/AC1"
        self.server.expect_request(f"{path}/Messages.json", method="POST").respond_with_handler(self._send)
        self.server.expect_request(f"{path}/Messages.json", method="GET").respond_with_handler(self._list)
        self.server.expect_request(f"{path}.json").respond_with_json({"status": "active", "friendly_name": "Dealer"})

    def add(self, *, at: datetime = BEGAN, **more: Any) -> dict[str, Any]:
        made = {
            "sid": f"SM{len(self.messages):032x}", "status": "queued", "date_created": format_datetime(at), "price": None,
            "price_unit": "USD", "error_code": None, "num_segments": "1", "messaging_service_sid": None, **more,
        }  # fmt: skip
        self.messages.insert(0, made)
        return made

    def _send(self, request: Request) -> Response:
        expected = "Basic " + base64.b64encode(f"AC1:{SECRET}".encode()).decode()
        if request.headers["Authorization"] != expected:
            return self._json(401, {"code": 20003, "message": "Authenticate", "status": 401})
        form = dict(parse_qsl(request.get_data(as_text=True)))
        if form["To"].endswith("0000"):
            return self._json(
                400, {"code": 21211, "message": f"The 'To' number {form['To']} is not valid.", "status": 400}
            )
        made = self.add(to=form["To"], body=self.change(form["Body"]))
        made |= {"from": form.get("From"), "messaging_service_sid": form.get("MessagingServiceSid")}
        return self._json(201, made)

    def _list(self, request: Request) -> Response:
        size = int(request.args["PageSize"])
        found = [each for each in self.messages if each["to"] == request.args["To"]]
        more = "/next" if len(found) > size else None
        return self._json(200, {"messages": found[:size], "next_page_uri": more, "page": 0})

    def _json(self, status: int, body: Any) -> Response:
        return Response(json.dumps(body), status, content_type="application/json")


@pytest.fixture
def sim(server: HTTPServer) -> TwilioSim:
    return TwilioSim(server)


@pytest.fixture
def twilio(server: HTTPServer) -> Any:
    config = {"from": FROM, "api_url": server.url_for("/").rstrip("/")}
    return CONNECTION_TYPES.get("twilio").create(config, {"account_sid": "AC1", "auth_token": SECRET})


def test_twilio_takes_a_message(sim: TwilioSim, twilio: Any, server: HTTPServer) -> None:
    receipt = twilio.send(sms(text="Grüße 😀 & more"), timeout=5)
    assert receipt == SmsReceipt(f"SM{0:032x}", "queued", "twilio", None, "USD")
    form = dict(parse_qsl(server.log[0][0].get_data(as_text=True)))
    assert form == {"To": "+15125550143", "From": FROM, "Body": "Grüße 😀 & more"}


def test_twilio_sends_by_a_service_and_with_pictures(sim: TwilioSim, twilio: Any, server: HTTPServer) -> None:
    service = "MG" + "0" * 32
    twilio.send(sms(sender=service, media_urls=["https://a.example/1.png", "https://a.example/2.png"]), timeout=5)
    pairs = parse_qsl(server.log[0][0].get_data(as_text=True))
    assert ("MessagingServiceSid", service) in pairs
    assert [value for name, value in pairs if name == "MediaUrl"] == [
        "https://a.example/1.png",
        "https://a.example/2.png",
    ]


def test_twilios_refusals(sim: TwilioSim, twilio: Any) -> None:
    with pytest.raises(Rejected, match="21211 The 'To' number") as refused:
        twilio.send(sms(to="+15125550000"), timeout=5)
    assert refused.value.details == {"status": 400, "code": 21211}
    with pytest.raises(Rejected, match="1600 characters"):
        twilio.send(sms(text="x" * 1601), timeout=5)
    assert sim.messages == []


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (429, {"code": 20429, "message": "Too Many Requests"}, Unavailable),
        (400, {"code": 20429, "message": "Too Many Requests"}, Unavailable),
        (401, {"code": 20003, "message": "Authenticate"}, Rejected),
        (500, {}, Unknown),
        (502, "<html>", Unknown),
        (503, {"code": 20503}, Unknown),
        (201, {}, Unknown),
        (201, "not json", Unknown),
        (302, {}, Rejected),
    ],
)
def test_what_an_answer_to_a_sending_means(
    server: HTTPServer, twilio: Any, status: int, body: Any, failure: type[Exception]
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    server.expect_request("/2010-04-01/Accounts/AC1/Messages.json").respond_with_data(text, status)
    with pytest.raises(failure) as told:
        twilio.send(sms(), timeout=5)
    assert type(told.value) is failure
    assert SECRET not in repr(told.value)
    assert len(server.log) == 1  # Never sent twice.


def test_a_lost_answer_is_unknown_and_nothing_listening_is_not(server: HTTPServer, twilio: Any) -> None:
    import threading

    hold = threading.Event()
    server.expect_request("/2010-04-01/Accounts/AC1/Messages.json").respond_with_handler(
        lambda _request: hold.wait(5) and None
    )
    with pytest.raises(Unknown):
        twilio.send(sms(), timeout=0.3)
    hold.set()
    away = CONNECTION_TYPES.get("twilio").create(
        {"from": FROM, "api_url": "http://127.0.0.1:9"}, {"account_sid": "AC1", "auth_token": SECRET}
    )
    with pytest.raises(Unavailable):
        away.send(sms(), timeout=2)


def test_twilio_is_asked_what_became_of_a_message(sim: TwilioSim, twilio: Any) -> None:
    assert twilio.find(sms(), timeout=5) is None
    sent = twilio.send(sms(), timeout=5)
    assert twilio.find(sms(), timeout=5) == sent
    sim.messages[0] |= {"status": "delivered", "price": "-0.00790"}
    assert twilio.find(sms(), timeout=5) == SmsReceipt(sent.message_id, "delivered", "twilio", 0.0079, "USD")


def test_older_and_other_messages_are_not_taken_for_it(sim: TwilioSim, twilio: Any) -> None:
    about = {"to": "+15125550143", "body": "Hi Ann"}
    sim.add(at=BEGAN - timedelta(hours=1), **about, **{"from": FROM})
    sim.add(at=BEGAN, **about, **{"from": "+15125550999"})
    assert twilio.find(sms(), timeout=5) is None


def test_doubt_is_never_an_answer(sim: TwilioSim, twilio: Any) -> None:
    ours = {"to": "+15125550143", "from": FROM}
    sim.change = lambda text: f"Sent from your Twilio trial account - {text}"
    twilio.send(sms(), timeout=5)
    with pytest.raises(Unknown, match="text differs"):
        twilio.find(sms(), timeout=5)
    sim.messages.clear()
    sim.add(body="Hi Ann", **ours)
    sim.add(body="Hi Ann", **ours)
    with pytest.raises(Unknown, match="2 such messages"):
        twilio.find(sms(), timeout=5)
    sim.messages.clear()
    for _ in range(201):
        sim.add(body="x", to=ours["to"], **{"from": "+15125550999"})
    with pytest.raises(Unknown, match="more messages"):
        twilio.find(sms(), timeout=5)


def test_twilio_can_be_tried(sim: TwilioSim, twilio: Any, server: HTTPServer) -> None:
    assert twilio.check(timeout=5) == "Twilio knows the account 'Dealer'."
    assert [request.method for request, _ in server.log] == ["GET"]


# -- MessageBird -------------------------------------------------------------------------------------------------------


@dataclass
class BirdSim:
    server: HTTPServer
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.expect_request("/messages", method="POST").respond_with_handler(self._send)
        self.server.expect_request("/messages", method="GET").respond_with_handler(self._list)
        self.server.expect_request("/balance").respond_with_json({"payment": "prepaid", "type": "euros", "amount": 10})

    def _send(self, request: Request) -> Response:
        if request.headers["Authorization"] != f"AccessKey {SECRET}":
            return self._json(
                401, {"errors": [{"code": 2, "description": "Request not allowed", "parameter": "access_key"}]}
            )
        given = json.loads(request.data)
        if given["body"] == "broke":
            return self._json(402, {"errors": [{"code": 25, "description": "Not enough balance", "parameter": None}]})
        made = {
            "id": f"bird{len(self.messages)}", "direction": "mt", "type": "sms", "originator": given["originator"],
            "body": given["body"], "reference": given["reference"], "createdDatetime": "2026-11-20T09:00:01+00:00",
            "recipients": {"totalCount": 1, "items": [{"recipient": int(given["recipients"][0]), "status": "sent"}]},
        }  # fmt: skip
        self.messages.insert(0, made)
        return self._json(201, made)

    def _list(self, request: Request) -> Response:
        size = int(request.args["limit"])
        found = [
            each
            for each in self.messages
            if str(each["recipients"]["items"][0]["recipient"]) == request.args["recipient"]
        ]
        return self._json(
            200,
            {"offset": 0, "limit": size, "count": len(found[:size]), "totalCount": len(found), "items": found[:size]},
        )

    def _json(self, status: int, body: Any) -> Response:
        return Response(json.dumps(body), status, content_type="application/json")


@pytest.fixture
def birds(server: HTTPServer) -> BirdSim:
    return BirdSim(server)


@pytest.fixture
def bird(server: HTTPServer) -> Any:
    config = {"from": "Auterity", "api_url": server.url_for("/")}
    return CONNECTION_TYPES.get("messagebird").create(config, {"access_key": SECRET})


def test_messagebird_takes_a_message_with_its_reference(birds: BirdSim, bird: Any, server: HTTPServer) -> None:
    assert bird.send(sms(), timeout=5) == SmsReceipt("bird0", "sent", "messagebird")
    assert json.loads(server.log[0][0].data) == {
        "originator": "Auterity",
        "recipients": ["15125550143"],
        "body": "Hi Ann",
        "datacoding": "auto",
        "reference": digest("run/sms/0"),
    }
    assert bird.check(timeout=5) == "MessageBird answered; the account is prepaid."


def test_messagebird_knows_a_message_again_by_its_reference(birds: BirdSim, bird: Any) -> None:
    assert bird.find(sms(), timeout=5) is None
    bird.send(sms(key="another"), timeout=5)
    assert bird.find(sms(), timeout=5) is None
    sent = bird.send(sms(), timeout=5)
    assert bird.find(sms(), timeout=5) == sent
    for number in range(101):
        bird.send(sms(key=f"later{number}"), timeout=5)
    with pytest.raises(Unknown, match="more messages"):
        bird.find(sms(key="unsent"), timeout=5)


def test_messagebirds_refusals(birds: BirdSim, bird: Any, server: HTTPServer) -> None:
    with pytest.raises(Rejected, match="25 Not enough balance"):
        bird.send(sms(text="broke"), timeout=5)
    with pytest.raises(Rejected, match="no pictures"):
        bird.send(sms(media_urls=["https://a.example/1.png"]), timeout=5)
    wrong = CONNECTION_TYPES.get("messagebird").create(
        {"from": "A1", "api_url": server.url_for("/")}, {"access_key": "no"}
    )
    with pytest.raises(Rejected, match="refused the credentials"):
        wrong.send(sms(), timeout=5)
    assert birds.messages == []


# -- the server's own setting, and the default ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "smtp://a:b@c?from=x",
        "twilio://?from=+15125550100",
        "twilio://AC1:marker@",
        "twilio://AC:marker@10.0.0.1?from=+1512",
        "x",
        "http://[",
    ],
)
def test_an_unusable_setting_is_told_without_its_secret(url: str) -> None:
    with pytest.raises(NotConfigured, match="AUTERITY_SMS_URL") as told:
        sms_by_url(url)
    assert "marker" not in told.value.message


def test_the_setting_names_the_provider(sim: TwilioSim, server: HTTPServer, settings: Any) -> None:
    settings.SMS_URL = f"twilio://AC1:{SECRET}@ignored.example?from=+15125550100&api_url={server.url_for('/')}"
    port = sms_port(Organization().id)
    assert port.send(sms(), timeout=5).provider == "twilio"
    assert sim.messages[0]["from"] == FROM


@pytest.mark.django_db
def test_by_default_messages_are_kept_once_a_key() -> None:
    first, second = (Organization.objects.create(name=name) for name in ("A", "B"))
    port = sms_port(first.id)
    assert port.find(sms(), timeout=5) is None
    receipt = port.send(sms(), timeout=5)
    assert port.send(sms(text="changed"), timeout=5) == receipt
    assert port.find(sms(), timeout=5) == receipt
    assert (receipt.status, receipt.provider) == ("queued", "outbox")
    assert sms_port(second.id).find(sms(), timeout=5) is None
    [row] = StoredSms.unscoped.all()
    assert (row.organization_id, row.recipient, row.text) == (first.id, "+15125550143", "Hi Ann")
