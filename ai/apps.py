from django.apps import AppConfig


class AiConfig(AppConfig):
    name = "ai"
    verbose_name = "Models and usage"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.limits import Counter
        from accounts.usage import count_with
        from ai.selectors import calls_made, tokens_taken

        count_with(Counter.AI_API_CALLS, calls_made)
        count_with(Counter.AI_TOKENS, tokens_taken)
