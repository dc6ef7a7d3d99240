"""A Django site with its admin and a stack on moto: ``python -m tests.browser.operations_site FOLDER``.

FOLDER is where its database goes, and ``FOLDER/locale`` may hold translations. It prints its address when it answers.
On the stack are a paused task, waiting jobs of several tenants, stuck jobs, dead letters, a schedule, and a week of
statistics and errors. Its pages have a content security policy without inline scripts and styles.
"""

import sys
from pathlib import Path

from serverless_tasks import Task, cron
from serverless_tasks.client.operations.pausing import pause_queue, pause_task
from serverless_tasks.engine.definition.schedule_sync import apply, plan
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.dead_letter import DeadLetter
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import Failure, no_such_task
from serverless_tasks.engine.services import Services, current_services
from serverless_tasks.engine.statistics.errors import ErrorKind, Occurrences
from serverless_tasks.engine.statistics.histogram import bucket_of
from serverless_tasks.engine.statistics.items import hour_of
from serverless_tasks.params import IntParameter, StringParameter
from tests.browser.admin_site import MIDDLEWARE, serve, start
from tests.support.aws import account, map_queues, resources

HOUR = 3_600_000
GONE = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c60"
LOST = "1b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c61"
UNKNOWN = "2b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c62"
HELD = "3b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c63"
FAILED = "5b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c65"
KIND = ErrorKind(
    fingerprint="0123456789ab", task="billing.invoice", type="GatewayDown", frame="shop.billing.charge"
)
LETTER = "4b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c64"


class Invoice(Task):
    name = "billing.invoice"
    inputs = {"customer": IntParameter(), "token": StringParameter(secret=True, required=False)}

    def run(self, customer, token=None):
        return None


class Nightly(Task):
    name = "reports.nightly"
    schedule = cron("0 6 * * ? *", zone="Europe/Vienna")
    queue = "low"

    def run(self):
        return None


def main(folder: Path) -> None:
    with account():
        config = resources()
        start(
            folder,
            MIDDLEWARE=["django.middleware.csp.ContentSecurityPolicyMiddleware", *MIDDLEWARE],
            SECURE_CSP={"default-src": ["'self'"], "img-src": ["'self'", "data:"]},
            TIME_ZONE="Europe/Vienna",
            ROOT_URLCONF=__name__,
            SERVERLESS_TASKS={
                "BACKEND": "sqs",
                "TABLE": config.table,
                "QUEUE_URLS": dict(config.queue_urls),
                "DEAD_LETTER_QUEUE_URL": config.dead_letter_queue_url,
                "BUCKET": config.bucket,
                "SCHEDULE_GROUP": config.schedule_group,
                "SCHEDULER_ROLE": config.scheduler_role,
                "PAUSES": True,
            },
            TASK_API_BACKGROUND_TASKS=[Invoice, Nightly],
        )
        _fill(current_services())
        _add_urls()
        serve()


urlpatterns: list[object] = []


def _add_urls() -> None:
    from django.contrib import admin
    from django.urls import path

    urlpatterns.append(path("admin/", admin.site.urls))


def _fill(services: Services) -> None:
    now = to_ms(services.clock.now())
    for tenant, count in (("acme", 12), ("bolt", 3), (None, 2)):
        for number in range(count):
            Invoice.options(tenant=tenant, on_commit=False).submit(customer=number)
    Invoice.options(delay=7200, on_commit=False).submit(customer=1)
    lost = _message(LOST, now - 3 * HOUR, queue="high")
    unknown = _message(UNKNOWN, now - HOUR, task="billing.remind")
    held = _message(HELD, now - HOUR)
    services.store.put_jobs([_message(GONE, now - 2 * HOUR, queue="high"), lost, unknown, held])
    services.store.claim(lost, token="t", lease=now - 2 * HOUR, request_id="")
    services.store.returned(unknown, no_such_task("billing.remind"))
    map_queues(services.config.queue_urls.values())  # after all are sent: moto would try to run the function
    paused = pause_task(services, "billing.invoice", by="grace", why="The bank answers with errors")
    assert paused.pause is not None
    services.store.returned(held, paused.pause.failure)
    pause_queue(services, "low", by="grace", why="The reports' database moves")
    _keep_letters(services, now)
    _count(services, now)
    _failed_job(services, now)
    apply(plan(services.registry, services.schedule_group), services.schedule_group)


def _count(services: Services, now: int) -> None:
    store = services.statistics_store
    for back in range(14 * 24):
        at, busy = now - back * HOUR, 20 + back % 24
        seconds = 4.0 if back < 24 else 1.0
        counts = {
            "submitted": busy,
            "succeeded": busy - 2,
            "failed": 2 if back % 5 == 0 else 0,
            f"d{bucket_of(seconds)}": busy,
            "q20": busy,
            "gb_seconds": busy * seconds,
        }
        store.add("billing.invoice", hour_of(at), 0, counts)
        if back % 5 == 0:
            text = f"connection to gateway-{back}.internal refused"
            store.add_errors(Occurrences(kind=KIND, count=2, first=at, last=at, text=text, text_of=FAILED))
    store.add("reports.nightly", hour_of(now), 0, {"succeeded": 1})


def _failed_job(services: Services, now: int) -> None:
    """A job that failed in the way of `KIND`."""
    message = _message(FAILED, now - 2 * HOUR)
    services.store.put_jobs([message])
    failure = Failure(type=KIND.type, message="connection refused", fingerprint=KIND.fingerprint)
    services.store.settle(message, failure)


def _message(uuid: str, created: int, **given: object) -> Message:
    known = {"task": "billing.invoice", "inputs": {"customer": 7}, **given}
    return Message(uuid=uuid, created=created, expires=created + 96 * HOUR, **known)  # type: ignore[arg-type]


def _keep_letters(services: Services, now: int) -> None:
    message = _message(
        LETTER, now - 26 * HOUR, inputs={"customer": 7, "token": "swordfish"}, secrets=("token",)
    )
    services.store.put_jobs([message])
    services.store.settle(message, Failure(type="Undeliverable", message="It was delivered many times."))
    reason = (
        "The job was delivered 100 times and never ended: its worker is killed for want of memory each time."
    )
    letter = DeadLetter(
        id=f"jobs/{LETTER}",
        reason=reason,
        task=message.task,
        queue="default",
        deliveries=100,
        sent=now - 26 * HOUR,
    )
    services.dead_letter_store.keep(letter, message.encode())
    odd = DeadLetter(
        id="undecodable/0c1d2e3f-message", reason="The message body is not JSON", queue="default"
    )
    services.dead_letter_store.keep(odd, "<order>not ours</order>")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
