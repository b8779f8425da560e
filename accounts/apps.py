from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People, organizations and sessions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import backup_codes, tiers, totp
        from accounts.factors import FACTORS, Factor, SecondFactor
        from accounts.limits import Counter
        from accounts.members import collaborators
        from accounts.usage import measure_with
        from audit.services import before_export

        measure_with(Counter.COLLABORATORS, collaborators)
        before_export(tiers.require_export)
        FACTORS.add(SecondFactor(Factor.TOTP, totp.is_enabled))
        FACTORS.add(SecondFactor(Factor.BACKUP_CODE, lambda user_id: backup_codes.left(user_id) > 0, demands=False))
