"""How people prove who they are beside a password: passkeys, and accounts that they have at other providers."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from auterity.kernel.access import Role
from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import TenantOwned


class Passkey(Timestamped):
    """One WebAuthn credential of one person. Only its public half is here, so it opens nothing for whoever reads it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="passkeys")
    credential_id = models.CharField(max_length=1400, unique=True, help_text="As base64url, which browsers use too.")
    public_key = models.BinaryField(editable=False)
    sign_count = models.BigIntegerField(default=0, help_text="The authenticator's own count; 0 where it keeps none.")
    nickname = models.CharField(max_length=60)
    aaguid = models.UUIDField(help_text="The model of the authenticator.")
    transports = JsonText(default=list)
    backup_eligible = models.BooleanField(default=False)
    backed_up = models.BooleanField(default=False)
    user_verified = models.BooleanField(default=False, help_text="Whether it knew its person when it was registered.")
    last_used_at = models.DateTimeField(null=True, blank=True)
    suspended_at = models.DateTimeField(null=True, blank=True, help_text="Set when its count went back: a copy exists.")

    class Meta:
        db_table = "passkeys"

    def __str__(self) -> str:
        return self.nickname


class Purpose(models.TextChoices):
    """What a challenge was made for."""

    REGISTER = "register"
    AUTHENTICATE = "authenticate"


class Ceremony(Identified):
    """A challenge that an authenticator is to sign, once, within five minutes, for one purpose.

    `user` is whose passkey must answer, where that is known; `session_id` the login that asked; `pending` the hash of the
    token of a login that still wants its second factor.
    """

    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    challenge = models.BinaryField(editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    session_id = models.UUIDField(null=True, blank=True)
    pending = models.CharField(max_length=64, blank=True, default="")
    named = models.BooleanField(default=False, help_text="Whether it was asked for by a user name, known or not.")
    user_verification = models.CharField(max_length=12)
    nickname = models.CharField(max_length=60, blank=True, default="")
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "passkey_ceremonies"
        verbose_name_plural = "ceremonies"

    def __str__(self) -> str:
        return f"{self.purpose} {self.id}"


class SsoProvider(TenantOwned, Timestamped):
    """The OpenID provider that an organization's people sign in with. The client secret is in `sealed` alone."""

    name = models.CharField(max_length=100)
    issuer = models.URLField(max_length=400)
    client_id = models.CharField(max_length=255)
    sealed = models.BinaryField(default=b"", editable=False)
    allowed_domains = JsonText(default=list, help_text="Whose mail addresses may come in by it.")
    default_role = models.CharField(
        max_length=16, choices=[(role.value, role.value) for role in Role], default=Role.MEMBER.value
    )
    creates_members = models.BooleanField(default=True, help_text="Whether unknown people become members.")
    links_members = models.BooleanField(
        default=False, help_text="Whether a verified address is enough to be the member who has it."
    )
    is_required = models.BooleanField(default=False, help_text="Members who are no admins come in no other way.")
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "sso_providers"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization"], name="sso_providers_one_an_organization")]

    def __str__(self) -> str:
        return f"{self.name} ({self.issuer})"


class ExternalIdentity(Timestamped):
    """An account at a provider that is somebody of ours: known by issuer and subject alone, never by its mail address.

    One that came by an organization's provider counts in that organization only, whatever its issuer claims to be.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="external_identities")
    provider = models.ForeignKey(
        SsoProvider,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="identities",
        help_text="Empty: Google.",
    )
    issuer = models.CharField(max_length=400)
    subject = models.CharField(max_length=255)
    email = models.EmailField(
        max_length=254, blank=True, default="", help_text="As the provider said at the last login."
    )
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "external_identities"
        verbose_name_plural = "external identities"
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "subject"], condition=Q(provider=None), name="external_identities_subject"
            ),
            models.UniqueConstraint(
                fields=["provider", "issuer", "subject"],
                condition=Q(provider__isnull=False),
                name="external_identities_provider_subject",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class Health(models.TextChoices):
    """What the last use of a grant showed."""

    OK = "ok"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class OAuthGrant(TenantOwned, Timestamped):
    """What somebody let an organization of theirs do with their account at Google. The tokens are in `sealed` alone."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    identity = models.ForeignKey(ExternalIdentity, on_delete=models.CASCADE, related_name="grants")
    scopes = JsonText(default=list, help_text="By our names: login, calendar, drive.")
    sealed = models.BinaryField(default=b"", editable=False)
    token_expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    health = models.CharField(max_length=10, choices=Health.choices, default=Health.UNKNOWN)
    last_error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        db_table = "oauth_grants"
        default_manager_name = "unscoped"
        verbose_name = "OAuth grant"
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="oauth_grants_one_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organization_id}"


class OAuthState(Identified):
    """Somebody is on the way to a provider and back, once, within ten minutes. Only the hash of what they carry is stored.

    The code verifier and the nonce are derived from what they carry. `user` and `session_id` are set where an account is to
    be linked; `binding_hash` is of a cookie that the browser got as it left.
    """

    state_hash = models.CharField(max_length=64, unique=True)
    provider = models.ForeignKey(
        SsoProvider, on_delete=models.CASCADE, null=True, blank=True, related_name="+", help_text="Empty: Google."
    )
    issuer = models.CharField(max_length=400)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    organization_id = models.UUIDField(null=True, blank=True)
    session_id = models.UUIDField(null=True, blank=True)
    binding_hash = models.CharField(max_length=64)
    scopes = JsonText(default=list)
    redirect_uri = models.CharField(max_length=2000)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "oauth_states"
        verbose_name = "OAuth state"

    def __str__(self) -> str:
        return str(self.id)
