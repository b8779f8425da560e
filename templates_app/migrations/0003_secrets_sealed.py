from django.db import migrations

BATCH = 100


def seal_what_is_stored(apps, schema_editor):
    """Templates of organizations that hold secrets get references; the product's own hold none."""
    from workflows.sealing import sealed_definition

    database = schema_editor.connection.alias
    templates = apps.get_model("templates_app", "WorkflowTemplate").unscoped.using(database)
    versions = apps.get_model("templates_app", "TemplateVersion").unscoped.using(database)
    own = templates.exclude(organization=None).order_by("pk")
    for row in own.iterator(chunk_size=BATCH):
        sealed = sealed_definition(row.organization_id, row.definition, blanks=True)
        if sealed is not row.definition:
            templates.filter(pk=row.pk).update(definition=sealed)
    kept = versions.exclude(template__organization=None).select_related("template").order_by("pk")
    for row in kept.iterator(chunk_size=BATCH):
        sealed = sealed_definition(row.template.organization_id, row.definition, blanks=True)
        if sealed is not row.definition:
            versions.filter(pk=row.pk).update(definition=sealed)


class Migration(migrations.Migration):
    """Forward only, as the references it makes are."""

    dependencies = [
        ("templates_app", "0002_versions"),
        ("workflows", "0006_secrets_sealed"),
    ]

    operations = [migrations.RunPython(seal_what_is_stored)]
