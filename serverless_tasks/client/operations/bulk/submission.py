"""Submitting an action on all jobs that match a filter; see `serverless_tasks.client.operations.bulk.action`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serverless_tasks.client.search import by_all_names, known_names
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.publish import publish
from serverless_tasks.engine.submit.submission import new_message

if TYPE_CHECKING:
    from serverless_tasks.client.search import JobFilter
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.submit.handle import Handle

BULK: Final = "serverless-tasks.bulk"
ACTIONS: Final = ("retry", "cancel", "delete")
# A run acts on so many jobs at most; what is left is for another one.
MOST_JOBS: Final = 10_000
# An operator's action is not to wait behind the jobs that it is about.
QUEUE: Final = "high"


def submit_bulk(
    services: Services,
    action: str,
    filters: JobFilter,
    *,
    by: str = "",
    owner: str | None = None,
    again: bool = False,
    uuid: str | None = None,
) -> Handle:
    """Submit an action on all jobs that match a filter, as they are now.

    What was submitted, or has ended, later than now is left alone, and so are jobs that succeeded, unless they are to
    be deleted or the filter asks for them.

    Args:
        services: the services to use.
        action: one of `ACTIONS`.
        filters: which jobs.
        by: who asks for it, for the record.
        owner: who may follow the job that acts.
        again: whether jobs that were retried before are retried once more.
        uuid: the id of the job that acts, to repeat a submission that may have been sent already.

    Raises:
        SubmitFailed, SubmitUncertain: it was certainly not sent, or may have been.
    """
    inputs = {
        "action": action,
        "filter": by_all_names(services, filters).to_json(),
        "until": to_ms(services.clock.now()),
        "by": by,
        "names": [] if filters.tasks else list(known_names(services)),
        "again": again,
    }
    urls = services.config.queue_urls
    queue = QUEUE if QUEUE in urls or not urls else next(iter(urls))
    options = Options.parse({"owner": owner, "uuid": uuid})
    message = new_message(services, BULK, inputs, options, queue)
    (handle,) = publish(services, [message], on_commit=False)
    return handle
