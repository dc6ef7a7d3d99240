"""The jobs in Django's admin: found by its autodiscovery."""

from django_integration.admin.job_admin import JobAdmin

__all__ = ["JobAdmin"]
