from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "identity"
    verbose_name = "Passkeys and sign-in providers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.checks import register

        from accounts.factors import FACTORS, Factor, SecondFactor
        from accounts.logins import CHECKS
        from identity import selectors, sso
        from identity.checks import check_settings
        from identity.models import OAuthGrant, SsoProvider
        from vault.registry import HOLDERS

        FACTORS.add(SecondFactor(Factor.WEBAUTHN, available=selectors.can_answer))
        CHECKS.append(sso.check_login)
        HOLDERS.add(OAuthGrant, "sealed")
        HOLDERS.add(SsoProvider, "sealed")
        register(check_settings)
