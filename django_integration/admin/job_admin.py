"""The jobs in Django's admin: a list, a page for each, and what may be done with them.

Read from DynamoDB as they are: no table of the database stands behind them, and nothing is to be migrated. Who may do
what is Django's own: ``serverless_tasks.view_job`` reads, ``change_job`` cancels and retries, ``delete_job`` deletes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from django_integration.admin.views import JobViews
from django_integration.models import Job

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.urls import URLPattern


@admin.register(Job)
class JobAdmin(JobViews):
    """What Django's autodiscovery finds; the pages are loaded with the site's URLs."""

    def get_urls(self) -> list[URLPattern]:
        """The list, the pages beside it, and those of one job."""
        # A worker under Django loads the admin as well, and serves no page.
        from django_integration.admin import acting, dead_letters, jobs, logs, queues, schedules
        from django_integration.admin.insight import costs, errors, statistics

        sections = (queues, dead_letters, schedules, errors, costs, statistics, jobs, acting, logs)
        return [pattern for section in sections for pattern in section.urls(self)]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Jobs are submitted by code."""
        return False
