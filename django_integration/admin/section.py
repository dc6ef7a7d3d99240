"""The base of the admin's pages that stand beside the list of jobs, a class for each section of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponseRedirect
from django.urls import path, reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse
    from django.template.response import TemplateResponse
    from django.urls import URLPattern

    from django_integration.admin.views import JobViews

_NAME = "serverless_tasks_job"


class Section:
    """Pages of one section.

    Args:
        admin: the admin of jobs, whose permissions and site they have.
    """

    def __init__(self, admin: JobViews) -> None:
        self.admin = admin

    def path(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """Return a page's pattern; its name is the admin's, such as ``admin:serverless_tasks_job_queues``."""
        return path(route, self.admin.admin_site.admin_view(view), name=f"{_NAME}_{name}")

    def require(self, permission: str, request: HttpRequest) -> None:
        """See that the user has a permission on jobs; see `JobViews.require`."""
        self.admin.require(permission, request)

    def page(self, request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> TemplateResponse:
        """Render a page; see `JobViews.page`."""
        return self.admin.page(request, name, title, context)

    def url(self, name: str, *args: str) -> str:
        """Return the address of a page of the jobs' admin."""
        return reverse(f"admin:{_NAME}_{name}", args=args, current_app=self.admin.admin_site.name)

    def to(self, name: str, *args: str) -> HttpResponseRedirect:
        """Return a redirect to a page of the jobs' admin."""
        return HttpResponseRedirect(self.url(name, *args))
