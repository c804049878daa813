"""Signing in and out."""

from typing import Any

from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm

from feedback.selectors.person import demo_exists
from feedback.views.rendering import wants_fragment


class Login(views.LoginView):
    template_name = "account/login.html"
    form_class = AuthenticationForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        base = "partial.html" if wants_fragment(self.request) else "base.html"
        return super().get_context_data(**kwargs) | {"base_template": base, "is_demo": demo_exists()}


class Logout(views.LogoutView):
    http_method_names = ["post", "options"]
