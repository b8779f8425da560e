"""What a play needs before it can begin, made over the same API: a workflow, a run, a file, a second person.

A value of a stage is made when it is first asked for, by the method of its name. A play that names a stage has it set first.
"""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from collections.abc import Mapping
from typing import Any

from tests.contract.caller import Absent, Caller, Unplayable
from tests.contract.native_logins import NativeLogins

SECRET = "whk_of-the-stage"
SAMPLES: Mapping[str, Any] = {"string": "John Doe", "number": 35000, "boolean": True, "email": "john@example.com"}


class Stage(NativeLogins):
    # -- people --

    def a_login(self) -> dict[str, Any]:
        """A login of its own, which a play may use up."""
        body = {"email": self.value("email"), "password": self.value("password")}
        return Caller(self.world.client).made("/api/auth/login", body)

    def a_refresh_token(self) -> str:
        return str(self.value("login")["refresh_token"])

    def a_user_id(self) -> str:
        person = {
            "email": self.a_fresh_email(),
            "password": "secure_password",
            "first_name": "Ann",
            "last_name": "Ames",
        }
        return str(self.who.made("/api/organizations/current/members", person)["id"])

    def set_alone(self) -> None:
        """The only admin of an organization."""
        body = {"email": self.a_fresh_email(), "password": "secure_password", "first_name": "Al", "last_name": "One"}
        nobody = Caller(self.world.client)
        self.known["user_id"] = nobody.made("/api/auth/register", body)["id"]
        login = nobody.made("/api/auth/login", {"email": body["email"], "password": body["password"]})
        self.who = Caller(self.world.client, login["access_token"])

    def a_nobodys_id(self) -> str:
        return str(uuid.uuid4())

    def a_incident_title(self) -> str:
        return f"A leak {self.a_fresh_name()}"

    def a_incident_id(self) -> str:
        body = {"title": self.value("incident_title"), "description": "Somebody saw a leak.", "severity": "low"}
        return str(self.who.made("/api/v1/security-metrics/incidents", body)["data"]["id"])

    def a_alert_id(self) -> str:
        condition = {"operator": "gte", "threshold": 10, "window_minutes": 60}
        body = {"name": self.a_fresh_name(), "metric": "failed_logins", "condition": condition}
        return str(self.who.made("/api/v1/security-metrics/alerts/configure", body)["data"]["id"])

    # -- workflows and their runs --

    def a_fresh_name(self) -> str:
        return f"n-{uuid.uuid4().hex[:12]}"

    def _workflow(self, *nodes: dict[str, Any], **more: Any) -> str:
        edges = [
            {"id": f"e{at}", "source": nodes[at]["id"], "target": nodes[at + 1]["id"]} for at in range(len(nodes) - 1)
        ]
        body = {"name": "Customer Follow-up Workflow", "definition": {"nodes": list(nodes), "edges": edges}, **more}
        return str(self.who.made("/api/workflows", body)["id"])

    def a_workflow_id(self) -> str:
        mail = {"label": "Send Follow-up Email", "to": "{{customer_email}}", "template": "follow_up_template"}
        return self._workflow({"id": "start", "type": "start"}, {"id": "send_email", "type": "email", "data": mail})

    def a_execution_id(self) -> str:
        """A run that has ended well."""
        body = {"inputs": {"customer_email": "customer@example.com"}, "execution_mode": "sync"}
        return str(self.who.made(f"/api/workflows/{self.value('workflow_id')}/execute", body)["id"])

    def a_log_id(self) -> str:
        lines = self.who.read("/api/logs", execution_id=self.value("execution_id"))["logs"]
        return str(lines[0]["id"])

    def set_waiting(self) -> None:
        """A run that goes on for an hour."""
        wait = {"id": "wait", "type": "delay", "config": {"seconds": 3600}}
        self.known["workflow_id"] = self._workflow({"id": "start", "type": "start"}, wait)
        accepted = self.who.made(f"/api/workflows/{self.known['workflow_id']}/execute", {})
        self.known["execution_id"] = accepted["execution_id"]

    def run_that_fails(self) -> None:
        """Its only step asks an address that nobody may reach."""
        call = {"method": "GET", "url": "http://169.254.169.254/"}
        failing = self._workflow(
            {"id": "start", "type": "start"}, {"id": "ask", "type": "api-integration", "config": call}
        )
        self.who.made(f"/api/workflows/{failing}/execute", {})

    def set_inactive(self) -> None:
        self.known["workflow_id"] = self._workflow({"id": "start", "type": "start"}, is_active=False)

    def a_node_id(self) -> str:
        return "hook"

    def set_hook(self) -> None:
        self.known["workflow_id"] = self._workflow({"id": "hook", "type": "webhook-trigger"})

    def set_signed_hook(self) -> None:
        config = {"authentication": "hmac", "secret": SECRET}
        self.known["workflow_id"] = self._workflow({"id": "hook", "type": "webhook-trigger", "config": config})

    def a_timestamp(self) -> str:
        return str(int(time.time()))

    def a_signature(self) -> str:
        """Of the body that is about to be sent."""
        digest = hmac.new(SECRET.encode(), self.known["raw"].encode(), hashlib.sha256).hexdigest()
        return f"sha256={digest}"

    def a_webhook_url(self) -> str:
        return self.world.outside.url_for("/webhook")

    # -- templates --

    def a_template_id(self) -> str:
        """A built-in one; of another organization, one of its own."""
        if self.who.token == self.world.people["other"]["token"]:
            return self.a_own_template_id()
        return str(self.who.read("/api/templates", public_only="true")["templates"][0]["id"])

    def a_own_template_id(self) -> str:
        body = {"name": "Own", "definition": {"nodes": [{"id": "start", "type": "start"}], "edges": []}}
        return str(self.who.made("/api/templates", body)["id"])

    def set_own_template(self) -> None:
        self.known["template_id"] = self.a_own_template_id()

    def set_parameterized(self) -> None:
        """A template that asks for something, and values that fit."""
        for each in self.who.read("/api/templates", page_size=100)["templates"]:
            template = self.who.read(f"/api/templates/{each['id']}")
            asked = [parameter for parameter in template["parameters"] if parameter["required"]]
            if any(parameter["default_value"] is None for parameter in asked):
                self.known["template_id"] = template["id"]
                self.known["values"] = {parameter["name"]: _sample(parameter) for parameter in asked}
                return
        raise Unplayable("no template asks for anything")

    # -- systems outside --

    def a_integration_id(self) -> str:
        """A dealership system that the stage's own server plays."""
        body = {
            "provider": "Custom",
            "configuration": {
                "base_url": self.world.outside.url_for("").rstrip("/"),
                "api_version": "v1",
                "timeout_ms": 5000,
                "retry_attempts": 2,
                "rate_limit": {"requests_per_minute": 600, "burst_size": 100},
            },
            "authentication": {"type": "api_key", "credentials": {"api_key": "example"}},
            "endpoints": {
                "customers": "customers",
                "vehicles": "vehicles",
                "service_appointments": "appointments",
                "sales_opportunities": "opportunities",
                "inventory": "inventory",
            },
        }
        return str(self.who.made("/api/integrations/dms", body)["id"])

    def set_dms(self) -> None:
        self.value("integration_id")

    def a_sync_id(self) -> str:
        return str(self.who.made(f"/api/integrations/dms/{self.value('integration_id')}/sync", {})["sync_id"])

    def set_synced(self) -> None:
        path = f"/api/integrations/dms/{self.value('integration_id')}/sync/{self.value('sync_id')}"
        until = time.monotonic() + 30
        while self.who.read(path)["status"] in ("pending", "running"):
            if time.monotonic() > until:
                raise Unplayable("the sync does not end")
            time.sleep(0.1)

    def set_mail(self) -> None:
        self._connect("sendgrid", {"from": "sales@example.com"}, {"api_key": "SG.stage"})

    def set_texts(self) -> None:
        self._connect("twilio", {"from": "+15125550199"}, {"account_sid": "AC1", "auth_token": "stage"})

    def _connect(self, kind: str, config: dict[str, Any], credentials: dict[str, Any]) -> None:
        """A connection to the stage's own server, which answers as that provider does."""
        known = {each["name"] for each in self.who.read("/api/integrations/connection-types")["types"]}
        if kind not in known:
            raise Absent(f"there are no connections of type {kind}")
        config = {**config, "api_url": self.world.outside.url_for("").rstrip("/")}
        body = {"name": self.a_fresh_name(), "type": kind, "config": config, "credentials": credentials}
        self.who.made("/api/integrations/connections", body)

    # -- models --

    def a_model(self) -> str:
        return "gpt-4"

    def set_custom_model(self) -> None:
        self._register(self.world.outside.url_for("/score"))

    def set_silent_model(self) -> None:
        self._register(self.world.outside.url_for("/silent"))

    def _register(self, address: str) -> None:
        self.known["model_id"] = self.a_fresh_name()
        body = {"model_id": self.known["model_id"], "version": "1", "endpoint_url": address}
        self.who.made("/api/ai/custom-models", body)


def _sample(parameter: Mapping[str, Any]) -> Any:
    if parameter["default_value"] is not None:
        return parameter["default_value"]
    if parameter["options"]:
        first = parameter["options"][0]["value"]
        return [first] if parameter["type"] == "multiselect" else first
    return SAMPLES[parameter["type"]]
