from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "identity"
    verbose_name = "Passkeys and sign-in providers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.checks import register

        from accounts.factors import FACTORS, Factor, SecondFactor
        from accounts.vouching import ask_last_too, ask_too
        from identity import selectors, sso
        from identity.checks import check_settings
        from identity.models import OAuthGrant, SsoProvider
        from vault.registry import HOLDERS

        FACTORS.add(SecondFactor(Factor.WEBAUTHN, available=selectors.can_answer))
        ask_too(sso.check_login)
        ask_last_too(sso.hold)
        HOLDERS.add(OAuthGrant, "sealed")
        HOLDERS.add(SsoProvider, "sealed")
        register(check_settings)
