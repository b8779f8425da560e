from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_letters_about_devices")]

    operations = [
        migrations.AddField(
            model_name="letter",
            name="onward",
            field=models.CharField(blank=True, db_default="", default="", max_length=300),
        ),
    ]
