"""People, organizations, who belongs where, and which logins are alive (000, "JWT Token Structure"; 001, Database)."""

from __future__ import annotations

import unicodedata
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from accounts.credentials import (
    BackupCode,
    GuessCount,
    LoginAttempt,
    OrganizationPolicies,
    PasswordRecord,
    SpentToken,
    Totp,
    TrustedDevice,
)
from accounts.grants import ApiKey, CustomRole
from accounts.limits import QuotaWarning, UsageDay, UsageQuota, UsageReservation, UsageTally
from auterity.kernel.access import Role
from auterity.kernel.models import Identified, JsonText, Timestamped, uuid7
from auterity.kernel.tenancy import TenantOwned

# Django looks for tables here.
__all__ = [
    "ApiKey",
    "BackupCode",
    "CustomRole",
    "GuessCount",
    "LoginAttempt",
    "OrganizationPolicies",
    "PasswordRecord",
    "QuotaWarning",
    "SpentToken",
    "Totp",
    "TrustedDevice",
    "UsageDay",
    "UsageQuota",
    "UsageReservation",
    "UsageTally",
]


def normal_email(email: str) -> str:
    """The one spelling of an address that is stored and looked up: no outer blanks, compatible forms folded, lower."""
    return unicodedata.normalize("NFKC", email).strip().lower()


class Organization(Timestamped):
    """A tenant. An inactive one lets nobody in."""

    name = models.CharField(max_length=200)
    is_personal = models.BooleanField(
        default=False, help_text="Made at registration for somebody who named no company."
    )
    is_active = models.BooleanField(default=True)
    api_keys_allowed = models.BooleanField(default=True, help_text="Off: no key of the organization opens anything.")
    api_key_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="The longest that a new key may last; empty for as long as one likes."
    )

    class Meta:
        db_table = "organizations"

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Makes accounts. A client reaches `accounts.services.register`; these are for the command line and tests."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Store an account with a hashed password (an unusable one when None)."""
        user = self.model(email=normal_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """An operator: may use the admin, belongs to no organization."""
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=normal_email(username or ""))


class User(Timestamped, AbstractBaseUser, PermissionsMixin):
    """One person, known by the e-mail address. `token_version` rises when every token issued before must die."""

    email = models.EmailField(max_length=254)
    username = models.CharField(
        max_length=150, null=True, blank=True, help_text="Another name to log in with, whatever its case (004)."
    )
    first_name = models.CharField(max_length=150)
    last_name = models.CharField(max_length=150)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May use the operators' site.")
    is_service = models.BooleanField(
        default=False, editable=False, help_text="A service account: acts by API keys and cannot log in."
    )
    token_version = models.PositiveIntegerField(default=0, editable=False)
    email_verified_at = models.DateTimeField(
        null=True, blank=True, help_text="When somebody followed a link that was mailed to the address."
    )
    password_changed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Empty while it is the one of the beginning."
    )

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["first_name", "last_name"]

    class Meta:
        db_table = "users"
        # Stored in lower case, and unique: together, unique whatever the case, and one index serves the look-up too.
        constraints = [
            models.UniqueConstraint(fields=["email"], name="users_email_unique"),
            models.UniqueConstraint(Lower("username"), name="users_username_unique"),
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="users_email_lower"),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        self.email = normal_email(self.email)


class Membership(Timestamped):
    """What one person may do in one organization. An inactive one is kept, for the history it appears in."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(
        max_length=16, choices=[(role.value, role.value) for role in Role], default=Role.MEMBER.value
    )
    custom_role = models.ForeignKey(
        CustomRole, on_delete=models.PROTECT, null=True, blank=True, related_name="memberships",
        help_text="In place of the role, which is its rank then.",
    )  # fmt: skip
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "user_roles"
        constraints = [
            models.UniqueConstraint(fields=["user", "organization"], name="user_roles_user_organization_unique")
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.user_id} of {self.organization_id}"


class Session(Identified):
    """One login, in one organization. Its id is the claim `sid`; ending it ends every token that came from it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="sessions")
    dialect = models.CharField(max_length=32)
    expires_at = models.DateTimeField(db_index=True, help_text="Absolute: refreshing does not move it.")
    last_seen_at = models.DateTimeField(help_text="The login, or the newest refresh.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoke_reason = models.CharField(max_length=64, blank=True, default="")
    user_agent = models.CharField(max_length=400, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    factors = JsonText(default=list, help_text="What it was proved with, in the order of proving.")
    fresh_at = models.DateTimeField(null=True, blank=True, help_text="When the person last proved themselves in it.")
    device_name = models.CharField(max_length=100, blank=True, default="")
    fingerprint = models.CharField(max_length=64, blank=True, default="", help_text="A hash of what the device said.")
    client_id = models.UUIDField(null=True, blank=True, help_text="The native installation.")
    device_id = models.UUIDField(null=True, blank=True, help_text="The registered device.")
    risk = JsonText(null=True, blank=True, help_text="How the login was judged.")

    class Meta:
        db_table = "sessions"

    def __str__(self) -> str:
        return f"{self.dialect} {self.id}"


class RefreshToken(models.Model):
    """A token that bought, or may still buy, one new access token. Its id is the claim `jti`.

    A refresh token gets its row, unused, when it is issued. An access token that is used to refresh (001, "Token
    Refresh") gets its row at that moment, already used, so that a second use is seen the same way.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "refresh_tokens"

    def __str__(self) -> str:
        return str(self.id)


class Invitation(TenantOwned, Timestamped):
    """Somebody was asked, by a link in a mail, to join an organization. Open until accepted, revoked or too old.

    The link's token is derived from the row (`accounts.invitations`); only its hash is stored, to find the row by. Sending
    the invitation again raises `serial`, which makes another token and ends the earlier link.
    """

    email = models.EmailField(max_length=254)
    role = models.CharField(
        max_length=16, choices=[(role.value, role.value) for role in Role], default=Role.MEMBER.value
    )
    custom_role = models.ForeignKey(
        CustomRole, on_delete=models.SET_NULL, null=True, blank=True, related_name="invitations"
    )
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    serial = models.PositiveIntegerField(default=0)
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "invitations"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitations_one_open_an_address",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"


class LetterKind(models.TextChoices):
    """What a mail of ours is about."""

    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105  Not a password.
    EMAIL_VERIFICATION = "email_verification"
    EMAIL_CODE = "email_code"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  Not a password.
    MFA_ENABLED = "mfa_enabled"
    MFA_DISABLED = "mfa_disabled"
    PASSKEY_ADDED = "passkey_added"
    DEVICE_ADDED = "device_added"
    REGISTRATION_TRIED = "registration_tried"


class Letter(Timestamped):
    """A mail that is owed to somebody, stored with what makes it due and sent by a worker at least once.

    It names its cause and holds no text, so that no link stands in the database.
    """

    kind = models.CharField(max_length=20, choices=LetterKind.choices)
    recipient = models.EmailField(max_length=254)
    invitation = models.ForeignKey(Invitation, on_delete=models.CASCADE, null=True, blank=True, related_name="letters")
    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True, default="")
    # The database's own default lets a server that does not know the column yet go on during an upgrade.
    onward = models.CharField(max_length=300, blank=True, default="", db_default="")

    class Meta:
        db_table = "letters"
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="letters_due"),
            models.Index(fields=["recipient", "-created_at"], name="letters_to"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"


class Proof(Identified):
    """A mailed link by which somebody proves that a mailbox is theirs, once. Only the hash of its token is stored.

    It is made when its mail is sent, not when it is asked for: asking does the same whether or not there is an account.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="proofs")
    letter = models.OneToOneField(Letter, on_delete=models.CASCADE, related_name="proof")
    purpose = models.CharField(max_length=20, choices=LetterKind.choices)
    email = models.EmailField(max_length=254)
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "mailbox_proofs"

    def __str__(self) -> str:
        return f"{self.purpose} {self.id}"
