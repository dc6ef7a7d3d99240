"""An unmanaged model for Django's admin and permissions. It has no table; DynamoDB keeps the jobs."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class Job(models.Model):
    """A submitted task, as the admin lists it.

    Never saved, never queried: it is the name to which ``serverless_tasks.view_job``, ``change_job`` (cancel, retry)
    and ``delete_job`` belong. It needs no migration.
    """

    uuid: models.UUIDField[Any, Any] = models.UUIDField(primary_key=True)

    class Meta:
        """No table, and no permission to add: jobs are submitted by code."""

        managed = False
        default_permissions = ("view", "change", "delete")
        verbose_name = _("job")
        verbose_name_plural = _("jobs")

    def __str__(self) -> str:
        return str(self.uuid)
