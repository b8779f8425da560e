import orjson
from django.db import migrations, models

BATCH = 100


def seal_what_was_answered(apps, schema_editor):
    """An answer that stands in the clear is put under its organization's data key, so that a repeat still gets it."""
    from vault import keys
    from vault.registry import place

    rows = apps.get_model("api", "IdempotencyRecord").unscoped.using(schema_editor.connection.alias)
    for row in rows.exclude(status=None).order_by("pk").iterator(chunk_size=BATCH):
        where = place("idempotency_records", row.pk, "sealed")
        sealed = keys.seal(organization_id=row.organization_id, place=where, plain=orjson.dumps(row.body))
        rows.filter(pk=row.pk).update(sealed=sealed)


class Migration(migrations.Migration):
    dependencies = [("api", "0002_socket_tickets"), ("vault", "0001_data_keys")]

    operations = [
        migrations.AddField(
            model_name="idempotencyrecord",
            name="sealed",
            field=models.BinaryField(default=b""),
        ),
        migrations.RunPython(seal_what_was_answered),
        migrations.RemoveField(model_name="idempotencyrecord", name="body"),
    ]
