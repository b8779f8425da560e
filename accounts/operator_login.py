"""The form by which operators log in to their site: counted and recorded as every login, and with their second factor."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.forms import AuthenticationForm

from accounts import attempts, factors, second_factors, secret_words
from accounts.clients import Client
from accounts.credentials import LoginOutcome
from accounts.errors import MfaInvalid
from accounts.factors import Factor
from accounts.models import User
from auterity.kernel.errors import DomainError

WRONG = "Please enter the correct address, password and code of an operator. All of them are asked for together."


class OperatorLoginForm(AuthenticationForm):
    """`code` is of the authenticator app, or a backup code; one message for whatever is wrong."""

    code = forms.CharField(max_length=20, required=False)

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        client = Client(
            "operators",
            0,
            address=self.request.META.get("REMOTE_ADDR", ""),
            user_agent=self.request.headers.get("User-Agent", ""),
        )
        try:
            self.user_cache = self._proved(given.get("username", ""), given.get("password", ""), given["code"], client)
        except DomainError as error:
            raise ValidationError(error.message if "retry_after" in error.details else WRONG) from None
        self.confirm_login_allowed(self.user_cache)
        return given

    def _proved(self, email: str, password: str, code: str, client: Client) -> User:
        now = timezone.now()
        user = secret_words.verified(email, password, client=client, now=now)
        proved = [Factor.PASSWORD]
        if factors.enrolled(user.pk):
            factor = Factor.TOTP if code.strip().isdigit() else Factor.BACKUP_CODE
            try:
                second_factors.prove(user, factor, code, now=now)
            except MfaInvalid:
                attempts.record(LoginOutcome.FAILED, client=client, factors=[*proved, factor], user_id=user.pk)
                raise
            proved.append(factor)
        if user.is_active and user.is_staff:
            attempts.record(LoginOutcome.SUCCESS, client=client, factors=proved, user_id=user.pk)
        return user
