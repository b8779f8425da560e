import auterity.kernel.models
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models

BATCH = 100


def seal_what_is_stored(apps, schema_editor):
    """Definitions and edits that hold secrets get references; a version's checksum follows its definition."""
    from workflows.drafts import checksum
    from workflows.sealing import sealed_change, sealed_definition

    database = schema_editor.connection.alias
    versions = apps.get_model("workflows", "WorkflowVersion").unscoped.using(database)
    for row in versions.order_by("pk").iterator(chunk_size=BATCH):
        sealed = sealed_definition(row.organization_id, row.definition)
        if sealed is not row.definition:
            versions.filter(pk=row.pk).update(definition=sealed, checksum=checksum(sealed))
    operations = apps.get_model("workflows", "WorkflowOperation").unscoped.using(database)
    for row in operations.order_by("pk").iterator(chunk_size=BATCH):
        data, before = (sealed_change(row.organization_id, each) for each in (row.data, row.before))
        if data != row.data or before != row.before:
            operations.filter(pk=row.pk).update(data=data, before=before)


class Migration(migrations.Migration):
    """Forward only: going back would leave references whose values are gone."""

    dependencies = [
        ("accounts", "0001_initial"),
        ("vault", "0001_data_keys"),
        ("workflows", "0005_collaboration"),
    ]

    operations = [
        migrations.CreateModel(
            name="WorkflowSecret",
            fields=[
                ("id", models.UUIDField(default=auterity.kernel.models.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("sealed", models.BinaryField()),
                ("fingerprint", models.CharField(editable=False, max_length=64)),
                ("organization", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization")),
            ],
            options={"db_table": "workflow_secrets", "default_manager_name": "unscoped"},
            managers=[("unscoped", django.db.models.manager.Manager())],
        ),
        migrations.AddConstraint(
            model_name="workflowsecret",
            constraint=models.UniqueConstraint(fields=("organization", "fingerprint"), name="workflow_secrets_once"),
        ),
        migrations.RunPython(seal_what_is_stored),
    ]
