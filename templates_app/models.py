"""Templates: ready definitions with blanks (parameters) that become workflows (000, "Template Schema").

A template belongs to an organization, or to nobody: the product's own catalogue. Everybody sees the `is_public` ones.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, TypeVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from auterity.kernel.models import Identified, JsonText, Timestamped
from auterity.kernel.tenancy import TenancyError, Tenant

_Row = TypeVar("_Row", bound=models.Model)


class VisibleManager(models.Manager[_Row]):
    """Fails closed, as `TenantManager` does: the only way to rows is `visible_to`.

    `template` is the way from the row to its template, such as `template__`.
    """

    def __init__(self, template: str = "") -> None:
        super().__init__()
        self._template = template

    def visible_to(self, tenant: Tenant) -> models.QuerySet[_Row]:
        """The organization's own rows, and those of active public templates; nothing of deleted ones."""
        own = Q(**{f"{self._template}organization_id": tenant.organization_id})
        public = Q(**{f"{self._template}is_public": True, f"{self._template}is_active": True})
        return super().get_queryset().filter(own | public, **{f"{self._template}deleted_at": None})

    def get_queryset(self) -> NoReturn:
        name = self.model.__name__
        raise TenancyError(
            f"{name}.objects was asked without a tenant. Use {name}.objects.visible_to(actor), "
            f"or {name}.unscoped in the machine room and the operators' admin."
        )


class WorkflowTemplate(Timestamped):
    """A definition with blanks. Those of the product's catalogue have a slug and no organization."""

    organization = models.ForeignKey(
        "accounts.Organization", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    slug = models.SlugField(
        max_length=100, null=True, blank=True, unique=True, db_index=False, help_text="Only in the product's catalogue."
    )
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    category = models.CharField(max_length=100, blank=True, default="")
    tags = JsonText(blank=True, default=list)
    version = models.PositiveIntegerField(default=1)
    is_public = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    definition = JsonText(help_text="Canonical form, as workflows.shapes.read_definition gives it.")
    preview_image = models.TextField(
        null=True, blank=True, help_text="An https address, or file:<id> for a stored picture of the organization."
    )
    usage_count = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="Nobody sees it any more; kept for the workflows that came from it."
    )

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[VisibleManager[Any]] = VisibleManager()

    parameter_count: int  # Counted by the selectors, as are the reviews and their mean.
    review_count: int
    rating: float | None

    class Meta:
        db_table = "templates"
        default_manager_name = "unscoped"
        indexes = [
            models.Index(fields=["organization", "name"], name="templates_by_organization"),
            models.Index(fields=["category", "name"], condition=Q(is_public=True), name="templates_public"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(slug=None) | Q(organization=None), name="templates_slug_in_the_catalogue_only"
            ),
            models.CheckConstraint(
                condition=Q(organization__isnull=False) | Q(is_public=True), name="templates_private_has_organization"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ParameterType(models.TextChoices):
    """000 has the first five; 001 adds email."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    SELECT = "select"
    MULTISELECT = "multiselect"
    EMAIL = "email"


class TemplateParameter(Identified):
    """One blank: `{{ name }}` in the definition's texts, the bare name in its expressions."""

    template = models.ForeignKey(WorkflowTemplate, on_delete=models.CASCADE, related_name="parameters")
    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=100)
    type = models.CharField(max_length=16, choices=ParameterType, default=ParameterType.STRING)
    label = models.CharField(max_length=200, blank=True, default="")
    description = models.TextField(blank=True, default="")
    required = models.BooleanField(default=False)
    default_value = JsonText(null=True, blank=True)
    options = JsonText(blank=True, default=list, help_text="Of select and multiselect: [{value, label, description}].")
    validation = JsonText(blank=True, default=list, help_text="[{rule, value, message}].")

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[VisibleManager[Any]] = VisibleManager("template__")

    class Meta:
        db_table = "template_parameters"
        default_manager_name = "unscoped"
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["template", "name"], name="template_parameters_name")]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(Identified):
    """What a template was under one version number. Written once; every change of definition or parameters makes one."""

    template = models.ForeignKey(WorkflowTemplate, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = JsonText()
    parameters = JsonText(help_text="In order, each as `templates_app.parameters.ParameterSpec` says.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[VisibleManager[Any]] = VisibleManager("template__")

    class Meta:
        db_table = "template_versions"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="template_versions_number")]

    def __str__(self) -> str:
        return f"version {self.number}"


class TemplateReview(Timestamped):
    """What one person thinks of one template; saying it again replaces it."""

    template = models.ForeignKey(WorkflowTemplate, on_delete=models.CASCADE, related_name="reviews")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    rating = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(5)])
    comment = models.TextField(null=True, blank=True)

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[VisibleManager[Any]] = VisibleManager("template__")

    class Meta:
        db_table = "template_reviews"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(fields=["template", "user"], name="template_reviews_one_each"),
            models.CheckConstraint(condition=Q(rating__gte=1, rating__lte=5), name="template_reviews_rating"),
        ]

    def __str__(self) -> str:
        return f"{self.rating} of 5"
