"""The container's look at paused queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverless_tasks.engine.services import current_services

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.config import Config


def look_at_queues(config: Config) -> Callable[[str], bool] | None:
    """Return what says of a queue's URL whether it is paused; None where the settings have no look at pauses.

    Args:
        config: the settings.
    """
    if not config.pauses:
        return None
    names = {url: name for name, url in config.queue_urls.items()}

    def is_paused(url: str) -> bool:
        pauses = current_services().pauses
        return pauses is not None and pauses.of("queue", names.get(url, url)) is not None

    return is_paused
