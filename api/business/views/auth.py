"""`/api/v1/auth`: registration, login and the signed-in user of 004."""

from __future__ import annotations

from django.http import HttpRequest
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request

from accounts import errors, selectors, services
from accounts.selectors import Profile
from api import logins
from api.base import Answer, Call, operation
from api.business.bodies import auth as bodies
from api.business.dialect import BusinessView
from api.logins import NO_STORE
from api.needs import OPEN, SIGNED_IN
from api.parsers import JsonParser
from auterity.kernel.access import Role, shown_roles
from auterity.kernel.errors import FieldProblem, InvalidInput

_FIELDS = {"first_name": "full_name", "last_name": "full_name"}
FORM = "application/x-www-form-urlencoded"


class RegistrationView(BusinessView):
    public = True

    @operation(
        id="registration",
        summary="Register a person",
        body=bodies.Registration,
        answers={201: bodies.BusinessUser},
        needs=OPEN,
        raises=[InvalidInput, errors.EmailTaken, errors.RegistrationClosed, errors.UsernameTaken],
    )
    def post(self, call: Call[bodies.Registration]) -> Answer:
        """Whoever names no company gets an organization of their own."""
        first_name, last_name = _names(call.body.full_name)
        try:
            made = services.register(
                email=call.body.email,
                username=call.body.username,
                password=call.body.password,
                first_name=first_name,
                last_name=last_name,
                one_name=not last_name,
                company=call.body.company or call.body.organization_name,
            )
        except InvalidInput as error:
            raise InvalidInput(
                [FieldProblem(_FIELDS.get(each.field, each.field), each.message, each.code) for each in error.problems]
            ) from error
        role = Role(made.membership.role)
        return Answer(_user(Profile(made.user, made.organization, role, shown_roles(role), [])), 201)


class PasswordLoginView(BusinessView):
    public = True
    parser_classes = [JsonParser, FormParser, MultiPartParser]

    @operation(
        id="password_login",
        summary="Log in",
        body=bodies.PasswordLogin,
        answers={200: bodies.BusinessLoggedIn},
        needs=OPEN,
        raises=logins.REFUSALS,
    )
    def post(self, call: Call[bodies.PasswordLogin]) -> Answer:
        """Wrong credentials are one answer, whatever the cause. Where a second factor is on, the answer has `mfa_required`,
        `mfa_token` and `methods` instead of tokens."""
        body, email = call.body, selectors.address_of(call.body.username)
        pair = logins.by_password(call.request, self.dialect, email=email, password=body.password, code=body.otp)
        shown, kept = logins.handed_over(call.request, pair)
        told = bodies.BusinessToken.model_validate({"token_type": "bearer", "expires_in": pair.expires_in, **shown})
        return Answer(told, headers=NO_STORE, sparse=True, cookies=kept)

    def initialize_request(self, request: HttpRequest, *args: object, **kwargs: object) -> Request:
        """A client that merges two content types into one header means the form."""
        if "," in request.META.get("CONTENT_TYPE", "") and FORM in request.META["CONTENT_TYPE"]:
            request.META["CONTENT_TYPE"] = FORM
        return super().initialize_request(request, *args, **kwargs)


class SignedInUserView(BusinessView):
    @operation(id="signed_in_user", summary="The signed-in user", answers={200: bodies.BusinessUser}, needs=SIGNED_IN)
    def get(self, call: Call[None]) -> Answer:
        """As stored now."""
        return Answer(_user(selectors.profile(call.actor)), headers=NO_STORE)


def _names(full_name: str) -> tuple[str, str]:
    """First names and the last one; a single name is a first name."""
    first, _, last = " ".join(full_name.split()).rpartition(" ")
    return (first, last) if first else (last, "")


def _user(profile: Profile) -> bodies.BusinessUser:
    user = profile.user
    return bodies.BusinessUser(
        id=user.pk,
        email=user.email,
        username=user.username or user.email,
        full_name=f"{user.first_name} {user.last_name}".strip(),
        role=logins.shown_role(profile),
        is_verified=user.email_verified_at is not None,
    )
