from django.db import migrations
from django.db.models import F


def publish_what_runs(apps, schema_editor):
    """Until now every version was what runs began on from the moment it was saved."""
    apps.get_model("workflows", "Workflow").unscoped.update(published_version=F("version"))
    apps.get_model("workflows", "WorkflowVersion").unscoped.update(
        published_at=F("created_at"), published_by=F("created_by")
    )


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0003_drafts_and_test_cases'),
    ]

    operations = [
        migrations.RunPython(publish_what_runs, migrations.RunPython.noop, elidable=True),
    ]
