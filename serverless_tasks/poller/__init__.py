"""Event source mapping outside Lambda: for a laptop, and for containers."""

from serverless_tasks.poller.mapping import Mapping, load_handler
from serverless_tasks.poller.poller import Poller
from serverless_tasks.poller.worker import run_worker

__all__ = ["Mapping", "Poller", "load_handler", "run_worker"]
