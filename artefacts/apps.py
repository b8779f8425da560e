from django.apps import AppConfig


class ArtefactsConfig(AppConfig):
    name = "artefacts"
    verbose_name = "Files"
    default_auto_field = "django.db.models.BigAutoField"
