import auterity.kernel.models
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

PARAMETER_FIELDS = ("name", "type", "label", "description", "required", "default_value", "options", "validation")


def keep_what_is_stored(apps, schema_editor):
    """Every template gets a version of what it is now, under the number it has."""
    template_model = apps.get_model("templates_app", "WorkflowTemplate")
    version_model = apps.get_model("templates_app", "TemplateVersion")
    database = schema_editor.connection.alias
    for template in template_model.unscoped.using(database).iterator(chunk_size=100):
        parameters = [
            {name: getattr(each, name) for name in PARAMETER_FIELDS}
            for each in template.parameters.using(database).order_by("position", "id")
        ]
        version_model.unscoped.using(database).create(
            template=template,
            number=template.version,
            definition=template.definition,
            parameters=parameters,
            created_by_id=template.created_by_id,
        )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("templates_app", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="workflowtemplate",
            name="deleted_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Nobody sees it any more; kept for the workflows that came from it.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="workflowtemplate",
            name="preview_image",
            field=models.TextField(
                blank=True,
                help_text="An https address, or file:<id> for a stored picture of the organization.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="TemplateVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=auterity.kernel.models.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("number", models.PositiveIntegerField()),
                ("definition", auterity.kernel.models.JsonText()),
                (
                    "parameters",
                    auterity.kernel.models.JsonText(
                        help_text="In order, each as `templates_app.parameters.ParameterSpec` says."
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="templates_app.workflowtemplate",
                    ),
                ),
            ],
            options={"db_table": "template_versions", "default_manager_name": "unscoped"},
            managers=[("unscoped", django.db.models.manager.Manager())],
        ),
        migrations.AddConstraint(
            model_name="templateversion",
            constraint=models.UniqueConstraint(fields=("template", "number"), name="template_versions_number"),
        ),
        migrations.RunPython(keep_what_is_stored, migrations.RunPython.noop, elidable=True),
    ]
