from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0004_webhook_receipts"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("attempts__gte", 3)), fields=["due_at"], name="executions_suspect"
            ),
        ),
    ]
