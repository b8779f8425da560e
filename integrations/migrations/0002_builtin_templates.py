"""Stores the message templates that come with the product; reversing leaves them, since somebody may have changed one."""

from django.db import migrations

from integrations.builtin_templates import BUILTIN


def store(apps, schema_editor):
    template = apps.get_model("integrations", "MessageTemplate")
    for each in BUILTIN:
        defaults = {"subject": each.subject, "text": each.text, "html": each.html}
        template.unscoped.using(schema_editor.connection.alias).get_or_create(
            organization=None, name=each.name, defaults=defaults
        )


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial")]
    operations = [migrations.RunPython(store, migrations.RunPython.noop)]
