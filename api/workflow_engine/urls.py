"""The addresses of the `workflow_engine` dialect (003). Fixed segments come before ids."""

from django.urls import path

from api.workflow_engine.views import auth, oauth, passwords, security, security_metrics, webauthn

urlpatterns = [
    path("api/v1/auth/jwt/login", auth.JwtLoginView.as_view()),
    path("api/v1/auth/refresh", auth.JwtRefreshView.as_view()),
    path("api/v1/auth/logout", auth.JwtLogoutView.as_view()),
    path("api/v1/auth/csrf-token", auth.CsrfTokenView.as_view()),
    path("api/v1/auth/change-password", passwords.PasswordChangeView.as_view()),
    path("api/v1/auth/forgot-password", passwords.PasswordForgottenView.as_view()),
    path("api/v1/auth/reset-password", passwords.PasswordResetView.as_view()),
    path("api/v1/oauth/google/authorize", oauth.GoogleAuthorizeView.as_view()),
    path("api/v1/oauth/google/callback", oauth.GoogleCallbackView.as_view()),
    path("api/v1/oauth/status", oauth.OAuthStatusView.as_view()),
    path("api/v1/webauthn/register/begin", webauthn.RegisterBeginView.as_view()),
    path("api/v1/webauthn/register/complete", webauthn.RegisterCompleteView.as_view()),
    path("api/v1/webauthn/authenticate/begin", webauthn.AuthenticateBeginView.as_view()),
    path("api/v1/webauthn/authenticate/complete", webauthn.AuthenticateCompleteView.as_view()),
    path("api/v1/security-tier/current", security.TierCurrentView.as_view()),
    path("api/v1/security-tier/upgrade", security.TierUpgradeView.as_view()),
    path("api/v1/security-tier/requirements", security.TierRequirementsView.as_view()),
    path("api/enterprise-security/policies", security.EnterprisePoliciesView.as_view()),
    path("api/enterprise-security/audit/log", security.AuditLogView.as_view()),
    path("api/enterprise-security/compliance/status", security.ComplianceView.as_view()),
    path("api/v1/security-metrics/dashboard", security_metrics.SecurityDashboardView.as_view()),
    path("api/v1/security-metrics/incidents", security_metrics.IncidentsView.as_view()),
    path("api/v1/security-metrics/threats", security_metrics.ThreatsView.as_view()),
    path("api/v1/security-metrics/alerts/configure", security_metrics.AlertsView.as_view()),
]
