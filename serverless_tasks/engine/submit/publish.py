"""Publishing messages: at once, or when the open transaction commits."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.job_id import job_id
from serverless_tasks.engine.submit.handle import Handle
from serverless_tasks.engine.submit.reserve import Deduplication, release, reserve, still_held
from serverless_tasks.errors import AlreadyRetried, AwsError, ServerlessTasksError, SubmitFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.submit.publication import Publication

logger = logging.getLogger(__name__)


def publish(
    services: Services,
    messages: Sequence[Message],
    *,
    on_commit: bool,
    deduplication: Deduplication | None = None,
) -> list[Handle]:
    """Publish messages, or leave it to the open transaction's commit.

    Args:
        services: the services to use.
        messages: the jobs.
        on_commit: leave it to the open transaction, when there is one.
        deduplication: what keeps them from being submitted twice; nothing unless given.

    Raises:
        ConfigurationError: a message is due later than this deployment can hold one back; none was published.
        ServerlessTasksError: the only message could not be published.
    """
    if any(message.run_at for message in messages):
        made(lambda: services.backend).check_delays(messages)
    if deduplication is not None and deduplication.compares:
        made(lambda: services.locks)
    publications = reserve(services, messages, deduplication or Deduplication())
    unsent = [publication for publication in publications if publication.unsent]
    if unsent and not (on_commit and services.defer is not None and services.defer(services, unsent)):
        publish_now(services, unsent)
    if len(publications) == 1 and (error := publications[0].original.error) is not None:
        raise error
    handles = [
        Handle(publication, services.store, services.clock, services.cancel, services.browser_token)
        for publication in publications
    ]
    # That backend has run them by now.
    return [handle.refresh() for handle in handles] if services.backend_kind.synchronous else handles


def publish_now(services: Services, publications: Sequence[Publication]) -> None:
    """Hand publications to the backend; each learns what became of it.

    Raises:
        ServerlessTasksError: none could be published.
    """
    publications = _send_groups(services, still_held(services, publications))
    if not publications:
        return
    try:
        made(lambda: services.backend)
        errors = services.publish([publication.message for publication in publications])
    except ServerlessTasksError as error:
        for publication in publications:
            publication.settle(error)
        release(services, publications)
        raise
    for publication, failed in zip(publications, errors, strict=True):
        publication.settle(failed)
    release(services, publications)
    _note_retries(services, publications)


def _send_groups(services: Services, publications: Sequence[Publication]) -> list[Publication]:
    """Send the groups among publications; return the others."""
    for publication in publications:
        if publication.send is not None:
            try:
                publication.send()
            except ServerlessTasksError as error:
                publication.settle(error)
                release(services, [publication])
            else:
                publication.settle(None)
                _note_retries(services, [publication])
    return [publication for publication in publications if publication.send is None]


def check_retry(uuid: str, retried_as: Sequence[str], new_uuid: str | None) -> None:
    """See that an ended job was not retried before, unless it was as the job that it is to be now.

    Args:
        uuid: the ended job.
        retried_as: the jobs that repeat it.
        new_uuid: the id that the new job is to have, if one was given.

    Raises:
        AlreadyRetried: it was.
    """
    if retried_as and (new_uuid is None or job_id(new_uuid) not in retried_as):
        raise AlreadyRetried(uuid, retried_as)


def _note_retries(services: Services, publications: Sequence[Publication]) -> None:
    """Note on the jobs that are submitted once more as which: what cannot be noted is sent all the same."""
    for publication in publications:
        message = publication.message
        if message.retry_of is None or not publication.published:
            continue
        try:
            services.store.note_retry(message.retry_of, message.uuid)
        except ServerlessTasksError:
            logger.warning(
                "job %s does not note that it was retried as %s",
                message.retry_of,
                message.uuid,
                exc_info=True,
            )


def made[T](make: Callable[[], T]) -> T:
    """Return a part of the services, of which an AWS client may be made now.

    Raises:
        SubmitFailed: it could not be made, and nothing was sent.
    """
    try:
        return make()
    except AwsError as error:
        raise SubmitFailed(f"Nothing was sent: {error}") from error
