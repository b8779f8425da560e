"""The addresses of the `auterity` dialect. Fixed segments come before ids."""

from django.urls import path

from api.auterity.views import auth, docs, executions, files, retention, templates, triggers, workflows

urlpatterns = [
    path("api/auth/register", auth.RegisterView.as_view()),
    path("api/auth/login", auth.LoginView.as_view()),
    path("api/auth/me", auth.MeView.as_view()),
    path("api/auth/refresh", auth.RefreshView.as_view()),
    path("api/auth/logout", auth.LogoutView.as_view()),
    path("api/auth/cross-system-token", auth.CrossSystemTokenView.as_view()),
    path("api/workflows", workflows.WorkflowsView.as_view()),
    path("api/workflows/validate", workflows.ValidateView.as_view()),
    path("api/workflows/node-types", workflows.NodeTypesView.as_view()),
    path("api/workflows/executions/<uuid:execution_id>", executions.ExecutionView.as_view()),
    path("api/workflows/executions/<uuid:execution_id>/cancel", executions.CancelView.as_view()),
    path("api/workflows/executions/<uuid:execution_id>/run-again", executions.RunAgainView.as_view()),
    path("api/workflows/executions/<uuid:execution_id>/steps", executions.StepsView.as_view()),
    path("api/workflows/executions/<uuid:execution_id>/logs", executions.ExecutionLogsView.as_view()),
    path("api/workflows/<uuid:workflow_id>", workflows.WorkflowView.as_view()),
    path("api/workflows/<uuid:workflow_id>/activate", workflows.ActivateView.as_view()),
    path("api/workflows/<uuid:workflow_id>/deactivate", workflows.DeactivateView.as_view()),
    path("api/workflows/<uuid:workflow_id>/validate", workflows.ValidateStoredView.as_view()),
    path("api/workflows/<uuid:workflow_id>/versions", workflows.VersionsView.as_view()),
    path("api/workflows/<uuid:workflow_id>/versions/<int:number>", workflows.VersionView.as_view()),
    path("api/workflows/<uuid:workflow_id>/versions/<int:number>/restore", workflows.RestoreVersionView.as_view()),
    path("api/workflows/<uuid:workflow_id>/execute", executions.ExecuteView.as_view()),
    path("api/workflows/<uuid:workflow_id>/executions", executions.ExecutionsView.as_view()),
    path("api/workflows/<uuid:workflow_id>/triggers/<str:node_id>", triggers.WebhookView.as_view()),
    path("api/logs", executions.LogsView.as_view()),
    path("api/logs/<uuid:log_id>", executions.LogView.as_view()),
    path("api/templates", templates.TemplatesView.as_view()),
    path("api/templates/<uuid:template_id>", templates.TemplateView.as_view()),
    path("api/templates/<uuid:template_id>/instantiate", templates.InstantiateView.as_view()),
    path("api/files", files.FilesView.as_view()),
    path("api/files/<uuid:file_id>", files.FileView.as_view()),
    path("api/files/<uuid:file_id>/content", files.FileContentView.as_view()),
    path("api/organization/retention", retention.RetentionView.as_view()),
    path("openapi.json", docs.OpenApiView.as_view(), name="openapi"),
    path("docs", docs.SwaggerView.as_view()),
    path("redoc", docs.RedocView.as_view()),
]
