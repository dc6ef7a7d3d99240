"""An app that imports its tasks in ``ready``, as the older system asked for; it names them nowhere else."""

from django.apps import AppConfig


class MailingConfig(AppConfig):
    name = "tests.django.mailing"

    def ready(self) -> None:
        from tests.django.mailing import notifications  # noqa: F401
