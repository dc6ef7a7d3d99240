"""The jobs in Django's admin: found by its autodiscovery."""

from django_integration.admin.jobs import JobAdmin

__all__ = ["JobAdmin"]
