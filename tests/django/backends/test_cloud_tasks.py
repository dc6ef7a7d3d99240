"""``CloudTasksBackend`` against a server on this machine that speaks the Cloud Tasks API over gRPC."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from django.core import mail
from django.test import Client
from django.urls import include, path
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from django_integration.cloud_tasks import CloudTasksBackend
from serverless_tasks import SubmitFailed, SubmitUncertain, Task
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError, PayloadTooLarge
from tests.django.conftest import queued
from tests.django.mailing.notifications import EmailNotificationParams, EmailNotificationTask
from tests.django.shop.background import Resize

PARAMS = EmailNotificationParams(subject="Hello", content="Have a nice day", recipients=["alice@example.com"])
URL = f"/tasks/{EmailNotificationTask.name}/run"
ACCOUNT = "robot@project.iam.example.com"


class CloudTasks:
    """Takes tasks, and delivers them when it is told to."""

    def __init__(self) -> None:
        self.tasks: list[tasks_v2.CreateTaskRequest] = []
        self.refusal: grpc.StatusCode | None = None
        self.server = grpc.server(ThreadPoolExecutor(1))
        create = grpc.unary_unary_rpc_method_handler(
            self.create,
            request_deserializer=tasks_v2.CreateTaskRequest.deserialize,
            response_serializer=tasks_v2.Task.serialize,
        )
        service = "google.cloud.tasks.v2.CloudTasks"
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"CreateTask": create}),)
        )
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    def create(self, request: tasks_v2.CreateTaskRequest, context: grpc.ServicerContext) -> tasks_v2.Task:
        if self.refusal is not None:
            context.abort(self.refusal, "no")
        self.tasks.append(request)
        return request.task

    def deliver(self, number: int = -1) -> Any:
        """Push a task to the site, as the service does, the token's verification apart."""
        sent = self.tasks[number].task.http_request
        assert sent.url.startswith("https://shop.example.com/")
        return Client().post(
            sent.url.removeprefix("https://shop.example.com"),
            sent.body,
            content_type=sent.headers["Content-Type"],
            headers=dict(sent.headers) | {"Authorization": "Bearer please"},
        )


@pytest.fixture
def cloud() -> Iterator[CloudTasks]:
    cloud = CloudTasks()
    cloud.server.start()
    yield cloud
    cloud.server.stop(None).wait()


@pytest.fixture
def backend(cloud: CloudTasks, settings: Any) -> Iterator[CloudTasksBackend]:
    channel = grpc.insecure_channel(f"127.0.0.1:{cloud.port}")
    client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
    backend = CloudTasksBackend("p", "l", "q", "https://shop.example.com", ACCOUNT, client=client)
    settings.TASKS_BACKEND = backend
    settings.TASKS_API_AUTHENTICATION = "tests.django.ninja_auth.KnowsTheWord"
    yield backend
    channel.close()


@pytest.mark.usefixtures("backend")
class TestSending:
    def test_a_task_is_made_for_the_run_call(self, cloud: CloudTasks) -> None:
        handle = EmailNotificationTask(PARAMS).start()
        (request,) = cloud.tasks
        assert request.parent == "projects/p/locations/l/queues/q"
        sent = request.task.http_request
        assert sent.url == f"https://shop.example.com{URL}"
        assert sent.http_method == tasks_v2.HttpMethod.POST
        assert EmailNotificationParams.model_validate_json(sent.body) == PARAMS
        assert sent.oidc_token.service_account_email == ACCOUNT
        assert sent.oidc_token.audience == "https://shop.example.com"
        assert request.task.dispatch_deadline.total_seconds() == EmailNotificationTask.timeout
        assert (handle.refresh().status, queued(), mail.outbox) == ("pending", [], [])

    def test_a_delay_is_its_schedule(self, cloud: CloudTasks) -> None:
        handle = EmailNotificationTask.options(delay=60).submit(**PARAMS.model_dump())
        due = cloud.tasks[0].task.schedule_time.timestamp()
        assert due == pytest.approx(handle.record.created / 1000 + 60, abs=2)

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (grpc.StatusCode.PERMISSION_DENIED, SubmitFailed),
            (grpc.StatusCode.NOT_FOUND, SubmitFailed),
            (grpc.StatusCode.UNAVAILABLE, SubmitUncertain),
            (grpc.StatusCode.DEADLINE_EXCEEDED, SubmitUncertain),
        ],
    )
    def test_a_refusal_says_whether_it_was_sent(
        self, cloud: CloudTasks, code: grpc.StatusCode, error: type[Exception]
    ) -> None:
        cloud.refusal = code
        with pytest.raises(error) as raised:
            EmailNotificationTask(PARAMS).start()
        assert isinstance(raised.value.__cause__, GoogleAPICallError)

    def test_too_large_inputs_are_refused(self, cloud: CloudTasks) -> None:
        with pytest.raises(PayloadTooLarge):
            EmailNotificationTask(PARAMS.model_copy(update={"content": "x" * 1_000_001})).start()
        assert cloud.tasks == []

    def test_a_task_without_a_url_is_refused(self, cloud: CloudTasks) -> None:
        class Nowhere(Task[EmailNotificationParams]):
            name = "nowhere"

            def run(self) -> None:
                return None

        current_services().registry.add(Nowhere)
        with pytest.raises(ConfigurationError, match="'nowhere' has no URL"):
            Nowhere(PARAMS).start()

    @pytest.mark.urls("tests.django.own_urls")
    def test_the_url_is_found_on_a_projects_own_api(self, cloud: CloudTasks) -> None:
        EmailNotificationTask(PARAMS).start()
        url = cloud.tasks[0].task.http_request.url
        assert url == f"https://shop.example.com/own/jobs/{EmailNotificationTask.name}/run"

    def test_the_url_is_found_below_a_namespace_of_the_project(
        self, cloud: CloudTasks, settings: Any
    ) -> None:
        below = ([path("tasks/", include("django_integration.urls"))], "shop")
        settings.ROOT_URLCONF = (path("api/", include(below)),)
        EmailNotificationTask(PARAMS).start()
        assert cloud.tasks[0].task.http_request.url == f"https://shop.example.com/api{URL}"


@pytest.mark.parametrize("by_position", [True, False])
def test_the_tokens_audience_may_be_another_than_the_sites_address(
    backend: CloudTasksBackend, cloud: CloudTasks, by_position: bool
) -> None:
    given: Any = ("p", "l", "q", "https://shop.example.com", ACCOUNT)
    other = "https://tasks.example.com"
    made = (
        CloudTasksBackend(*given, other, client=backend._client)
        if by_position
        else CloudTasksBackend(*given, audience=other, client=backend._client)
    )
    made.run(EmailNotificationTask(PARAMS))
    sent = cloud.tasks[0].task.http_request
    assert (sent.oidc_token.audience, sent.url) == (other, f"https://shop.example.com{URL}")


def test_a_task_made_by_hand_can_be_sent(backend: CloudTasksBackend, cloud: CloudTasks) -> None:
    backend.run(EmailNotificationTask(PARAMS))
    assert cloud.deliver().json()["status"] == "succeeded"


@pytest.mark.usefixtures("backend")
class TestDelivery:
    def test_it_runs_the_job_that_was_submitted(self, cloud: CloudTasks) -> None:
        handle = EmailNotificationTask.options(owner="7").submit(**PARAMS.model_dump())
        answer = cloud.deliver()
        assert (answer.status_code, answer.json()["uuid"]) == (200, handle.uuid)
        assert handle.wait(1) == {"result": None}
        assert handle.record.owner == "7"
        assert len(mail.outbox) == 1

    def test_twice_runs_once(self, cloud: CloudTasks) -> None:
        EmailNotificationTask(PARAMS).start()
        assert cloud.deliver().content == cloud.deliver().content
        assert len(mail.outbox) == 1

    def test_a_signature_is_good_for_its_own_task(self, cloud: CloudTasks) -> None:
        EmailNotificationTask(PARAMS).start()
        cloud.tasks[0].task.http_request.url = "https://shop.example.com/tasks/resize/run"
        cloud.tasks[0].task.http_request.body = b'{"box": {"width": 1, "height": 2}}'
        assert cloud.deliver().status_code == 400

    def test_without_the_right_to_it_nothing_runs(self, cloud: CloudTasks, settings: Any) -> None:
        EmailNotificationTask(PARAMS).start()
        settings.TASKS_API_AUTHENTICATION = "ninja.security.django_auth"
        assert cloud.deliver().status_code in (401, 403)
        assert mail.outbox == []

    def test_a_retry_is_a_task_of_its_own(self, cloud: CloudTasks, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Resize, "retries", 1)
        monkeypatch.setattr(Resize, "run", lambda self: 1 / 0)
        handle = Resize.submit(box={"width": 1, "height": 2})
        answer = cloud.deliver()
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        assert len(cloud.tasks) == 2
        assert (bool(cloud.tasks[0].task.schedule_time), bool(cloud.tasks[1].task.schedule_time)) == (
            False,
            True,
        )
        early = cloud.deliver()
        assert (early.status_code, early.json()["error"]["uuid"]) == (503, handle.uuid)
        assert int(early["Retry-After"]) >= 1


def test_a_missing_library_is_named(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud", None)
    settings.TASKS_BACKEND = CloudTasksBackend("p", "l", "q", "https://shop.example.com", ACCOUNT)
    with pytest.raises(ConfigurationError, match=r"serverless-tasks\[google\]"):
        EmailNotificationTask(PARAMS).start()


def test_the_library_is_imported_only_when_a_job_is_sent() -> None:
    code = (
        "import os, sys, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.django.settings'; django.setup()\n"
        "from django_integration.cloud_tasks import CloudTasksBackend\n"
        "CloudTasksBackend('p', 'l', 'q', 'https://x', 'a')\n"
        "print([name for name in sys.modules if name.startswith(('google.', 'grpc', 'jwt'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
