"""`manage.py demo`: a demo dealership, and two real leads through its lead-qualification workflow."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from accounts.errors import EmailTaken
from accounts.models import User
from accounts.services import login, register
from auterity.embedded import start_runner, stop_runner
from auterity.kernel.access import Actor
from executions import selectors, services
from executions.models import LIVE, Execution
from templates_app.models import WorkflowTemplate
from templates_app.seeding import seed_catalogue
from templates_app.services import instantiate
from workflows.models import Workflow

EMAIL = "demo@auterity.local"
TEMPLATE = "lead-qualification"
LEADS = ("clean.xml", "as-mailed.eml")
PATIENCE = 60.0  # seconds for one lead


class Command(BaseCommand):
    help = "Qualify two car leads with the demo organization and show what happens, step by step."

    def handle(self, *args: Any, **options: Any) -> None:
        self.console = Console(highlight=False)
        seed_catalogue()
        password = demo_password()
        actor = _demo_actor(password)
        workflow = _demo_workflow(actor)
        with _worker():
            for name in LEADS:
                self._qualify(actor, workflow, name)
        tell_login(self.console)

    def _qualify(self, actor: Actor, workflow: Workflow, name: str) -> None:
        raw = (
            (settings.ROOT / "data" / "adf" / name)
            .read_bytes()
            .decode("windows-1252" if name.endswith(".eml") else "utf-8")
        )
        self.console.print(f"\n[bold]A lead arrives:[/] data/adf/{name} ({len(raw):,} characters)")
        execution = services.start(actor=actor, workflow_id=workflow.id, inputs={"adf": raw})
        seq, until = 0, time.monotonic() + PATIENCE
        while True:
            status = Execution.objects.of(actor).values_list("status", flat=True).get(id=execution.id)
            for line in selectors.lines_after(actor=actor, execution_id=execution.id, seq=seq, limit=100):
                seq = line.seq
                mark = {"error": "[red]✗[/]", "warning": "[yellow]![/]"}.get(line.level, "[green]•[/]")
                self.console.print(f"  {line.progress:5.1f} %  {mark} {line.message}")
            if status not in LIVE:
                break
            if time.monotonic() > until:
                raise CommandError(f"The demo run {execution.id} did not end within {PATIENCE:.0f} seconds.")
            time.sleep(0.02)  # Watching, as a person would; the worker does not wait for this.
        self._tell(selectors.describe(actor=actor, execution_id=execution.id))

    def _tell(self, view: selectors.ExecutionView) -> None:
        execution = view.execution
        if execution.status != "completed":
            raise CommandError(f"The demo run failed: {execution.error_message}")
        result = json.loads(execution.output_data["content"])
        lead = result["lead"]
        asks = f"{lead['vehicle']}" + (f", trading in a {lead['trade_in']}" if lead["trade_in"] else "")
        self._line("customer", f"{lead['name']}, {lead['email'] or 'no e-mail address'}, {lead['phone'] or 'no phone'}")
        self._line("asks for", asks)
        self._line("verdict", f"[bold]{result['grade']}[/], {result['score']} of 100: {'; '.join(result['reasons'])}")
        self._line("summary", result["summary"])
        for step in view.steps:
            if isinstance(step.output, dict) and step.output.get("email_sent"):
                self._line("mail sent", f"to {step.input['to']}: {step.input['subject']}")
        self._line("took", f"{view.metrics.total_duration_ms:.0f} ms, {len(view.steps)} steps")
        self._line("look at it", f"{settings.PUBLIC_URL}/admin/executions/execution/{execution.id}/change/")

    def _line(self, label: str, text: str) -> None:
        self.console.print(f"  [dim]{label:<11}[/]{text}", soft_wrap=True)


def demo_password() -> str:
    """Made on the first start and kept beside the embedded database, for its owner's eyes."""
    path = settings.ENV.data_dir / "demo_password"
    if not path.exists():
        settings.ENV.data_dir.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(12))
    return path.read_text().strip()


def tell_login(console: Console) -> None:
    """Where to look, and as whom."""
    console.print(
        f"\n[bold]Demo login[/]  {EMAIL}  /  {demo_password()}\n"
        f"[bold]Mails sent[/]  {settings.OUTBOX_DIR if not settings.SMTP_URL else 'over SMTP'}\n"
        f"[bold]API[/]         {settings.PUBLIC_URL}/docs\n"
        f"[bold]Operations[/]  {settings.PUBLIC_URL}/admin/\n",
        soft_wrap=True,
    )


def _demo_actor(password: str) -> Actor:
    try:
        made = register(email=EMAIL, password=password, first_name="Demo", last_name="Owner", company="Example Motors")
    except EmailTaken:
        pass
    else:
        # The demo's owner may also open the operators' site, which an ordinary customer may not.
        User.objects.filter(pk=made.user.pk).update(is_staff=True, is_superuser=True)
    return login(email=EMAIL, password=password, dialect="demo", access_seconds=60).actor


def _demo_workflow(actor: Actor) -> Workflow:
    template = WorkflowTemplate.objects.visible_to(actor).get(slug=TEMPLATE)
    made = Workflow.objects.of(actor).filter(template_id=template.id, deleted_at=None).order_by("-id").first()
    values = {"dealership_name": "Example Motors", "sales_email": "sales@example.org"}
    known = {each.name for each in template.parameters.all()}
    return made or instantiate(
        actor=actor,
        template_id=template.id,
        values={name: value for name, value in values.items() if name in known},
        name="Lead qualification",
    )


@contextmanager
def _worker() -> Any:
    """Embedded, nobody else would carry the runs out; with services, the Celery workers do."""
    if not settings.EMBEDDED:
        yield
        return
    runner = start_runner()
    try:
        yield
    finally:
        stop_runner(runner)
