"""The ground of the admin's pages about jobs: who may see one, how it is rendered, and where others are.

A section of pages is a module with ``urls(admin)``, which `JobAdmin.get_urls` takes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

TEMPLATES = "admin/serverless_tasks/job"
_NAME = "serverless_tasks_job"
# The frame of a page: Django's own has room for the links beside the title from 6.1 on.
_FRAME = "admin/base_site.html" if django.VERSION >= (6, 1) else f"{TEMPLATES}/frame.html"


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
            "frame": _FRAME,
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
        return reverse(f"admin:{_NAME}_changelist", current_app=self.admin_site.name)

    def job_url(self, uuid: str) -> str:
        """Return the address of a job's page."""
        return reverse(f"admin:{_NAME}_change", args=[uuid], current_app=self.admin_site.name)


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
