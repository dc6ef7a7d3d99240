"""The ground of the admin's pages about jobs: who may see one, how it is rendered, and where others are.

A page beside the list is a module with ``urls(admin)``, which `JobAdmin.get_urls` takes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.urls import reverse

if TYPE_CHECKING:
    from django.http import HttpRequest

TEMPLATES = "admin/serverless_tasks/job"


class JobViews(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's own has no parameter when it runs
    """The admin of jobs, as its pages use it."""

    def page(self, request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> TemplateResponse:
        """Render a page.

        Args:
            request: the request.
            name: the template's, without folder and ending.
            title: the page's heading.
            context: what the template needs besides what all pages have.
        """
        everywhere = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "may_change": self.may("change", request),
            "may_delete": self.may("delete", request),
        }
        return TemplateResponse(request, f"{TEMPLATES}/{name}.html", {**everywhere, **context})

    def may(self, permission: str, request: HttpRequest) -> bool:
        """Return whether who asks has a permission on jobs: ``view``, ``change`` or ``delete``."""
        return bool(getattr(self, f"has_{permission}_permission")(request))

    def require(self, permission: str, request: HttpRequest) -> None:
        """See that who asks has a permission on jobs.

        Raises:
            PermissionDenied: they have not.
        """
        if not self.may(permission, request):
            raise PermissionDenied

    def list_url(self) -> str:
        """Return the address of the list."""
        return reverse("admin:serverless_tasks_job_changelist", current_app=self.admin_site.name)

    def job_url(self, uuid: str) -> str:
        """Return the address of a job's page."""
        return reverse("admin:serverless_tasks_job_change", args=[uuid], current_app=self.admin_site.name)
