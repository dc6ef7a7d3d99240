"""The base of the admin's pages that stand beside the list of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.admin import ModelAdmin
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

_TEMPLATES = "admin/serverless_tasks/job"
_NAME = "serverless_tasks_job"


class Views:
    """Pages of one part of the admin.

    Args:
        admin: the admin of jobs, whose permissions and site they have.
    """

    def __init__(self, admin: ModelAdmin[Any]) -> None:
        self.admin = admin

    def path(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """Return a page's pattern; its name is the admin's, such as ``admin:serverless_tasks_job_queues``."""
        return path(route, self.admin.admin_site.admin_view(view), name=f"{_NAME}_{name}")

    def may(self, permission: str, request: HttpRequest) -> bool:
        """Return whether the user has ``view``, ``change`` or ``delete`` on jobs."""
        return bool(getattr(self.admin, f"has_{permission}_permission")(request))

    def require(self, permission: str, request: HttpRequest) -> None:
        """See that the user has a permission on jobs.

        Raises:
            PermissionDenied: the user has not.
        """
        if not self.may(permission, request):
            raise PermissionDenied

    def page(self, request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> TemplateResponse:
        """Return a page from its template's name and what it shows."""
        everywhere = {
            **self.admin.admin_site.each_context(request),
            "opts": self.admin.opts,
            "title": title,
            "may_change": self.may("change", request),
            "may_delete": self.may("delete", request),
        }
        return TemplateResponse(request, f"{_TEMPLATES}/{name}.html", {**everywhere, **context})

    def url(self, name: str, *args: str) -> str:
        """Return the address of a page of the jobs' admin."""
        return reverse(f"admin:{_NAME}_{name}", args=args, current_app=self.admin.admin_site.name)

    def to(self, name: str, *args: str) -> HttpResponseRedirect:
        """Return a redirect to a page of the jobs' admin."""
        return HttpResponseRedirect(self.url(name, *args))
