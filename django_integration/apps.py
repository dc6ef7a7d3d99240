"""The Django app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.core.signals import setting_changed
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from serverless_tasks.errors import ConfigurationError


class ServerlessTasksConfig(AppConfig):
    """``INSTALLED_APPS = ["django_integration", ...]``.

    Attributes:
        problem: what is wrong with the configuration, or None.
    """

    name = "django_integration"
    label = "serverless_tasks"
    verbose_name = _("Serverless Tasks")

    problem: ConfigurationError | None = None

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        from django_integration.startup.task_classes import watch

        watch()

    def ready(self) -> None:
        """Configure the services, register the tasks of all apps, and add the system checks."""
        from django_integration.startup.checks import deployment as stack_checks
        from django_integration.startup.checks import settings as checks
        from django_integration.startup.checks import stack as stack_settings
        from django_integration.startup.checks import template as template_checks

        self._wire()
        checks.register()
        stack_settings.register()
        stack_checks.register()
        template_checks.register()
        setting_changed.connect(self._setting_changed, dispatch_uid="serverless_tasks")

    def _wire(self) -> None:
        from django_integration.startup import wiring

        self.problem = wiring.wire()

    def _setting_changed(self, *, setting: str, **_: Any) -> None:
        from django_integration import conf

        if conf.forget(setting):
            self._wire()
