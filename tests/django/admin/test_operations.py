"""The admin's pages about queues, stuck jobs, dead letters and schedules: what they show, and who may do what."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.test.utils import override_settings

from serverless_tasks import Task, cron
from serverless_tasks.client.operations import stuck
from serverless_tasks.client.operations.letters import LONGEST, shown_body
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.pauses import TablePauses
from serverless_tasks.engine.aws.mappings import mappings_of
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.dead_letter import DeadLetter
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import Failure, no_such_task
from serverless_tasks.engine.services import Services, current_services
from serverless_tasks.engine.worker.pauses import QUEUE, TASK, Pause
from serverless_tasks.errors import AwsError
from tests.django.admin.test_admin import LIST, UNKNOWN, said, staff, submit, text
from tests.django.shop.background import SumNumbers
from tests.support.aws import map_queues

REFUSED = AwsError("dynamodb.GetItem", "AccessDenied", "not yours", applied=False)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Services:
    """The payload bucket, where dead letters lie."""
    session.client("s3").create_bucket(Bucket="payloads")
    services = current_services()
    monkeypatch.setattr(services, "config", replace(services.config, bucket="payloads"))
    return services


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Services:
    """A site whose workers look at pauses."""
    services = current_services()
    monkeypatch.setattr(services, "config", replace(services.config, pauses=True))
    return services


@pytest.fixture
def mapped() -> None:
    """The worker's mappings of the queues."""
    map_queues(current_services().config.queue_urls.values())


def enabled(queue: str) -> bool:
    return all(mapping.enabled for mapping in mappings_of(current_services().config.queue_url(queue)))


def now() -> int:
    return to_ms(current_services().clock.now())


def pauses() -> list[Pause]:
    services = current_services()
    assert services.pauses is not None
    return services.pauses.all(fresh=True)


def pause(kind: str = TASK, name: str = "sum", **given: Any) -> None:
    services = current_services()
    assert services.pauses is not None
    services.pauses.put(Pause(kind=kind, name=name, since=now(), by="ada", **given))


def a_message(**given: Any) -> Message:
    created = given.pop("created", now())
    defaults: dict[str, Any] = {
        "uuid": UNKNOWN,
        "task": "sum",
        "inputs": {"numbers": [1, 2]},
        "created": created,
    }
    return Message(**{**defaults, "expires": created + 345_600_000, **given})


def letter(services: Services, message: Message, **given: Any) -> DeadLetter:
    """A job that the dead-letter handler has settled, and its letter."""
    services.store.put_jobs([message])
    services.store.settle(message, Failure(type="Undeliverable", message="It never ended."))
    known = {"reason": "It never ended.", "task": message.task, "queue": "default", "deliveries": 100}
    made = DeadLetter(id=f"jobs/{message.uuid}", sent=message.created, **{**known, **given})
    services.dead_letter_store.keep(made, message.encode())
    return made


def letters(services: Services) -> list[str]:
    return sorted(each.id for each in services.dead_letter_store.all())


PAGES = ("queues/", "stuck/", "dead-letters/", "dead-letters/jobs/x/", "schedules/")
CHANGES = (
    "queues/pause/?kind=task&name=sum",
    "queues/resume/?kind=task&name=sum",
    f"stuck/end/?uuid={UNKNOWN}",
)


class TestPermissions:
    @pytest.mark.parametrize("page", PAGES)
    def test_a_page_is_for_those_who_may_view_jobs(self, db: None, page: str) -> None:
        assert staff("nobody").get(LIST + page).status_code == 403
        assert Client().get(LIST + page).status_code == 302

    @pytest.mark.parametrize("page", CHANGES)
    def test_a_change_is_for_those_who_may_change_jobs(self, reader: Client, page: str) -> None:
        assert reader.get(LIST + page).status_code == 403
        assert reader.post(LIST + page, {"kind": "task", "name": "sum", "uuid": UNKNOWN}).status_code == 403

    @pytest.mark.parametrize(("action", "permission"), [("retry", "change"), ("purge", "delete")])
    def test_letters_are_retried_and_purged_by_those_who_may(
        self, db: None, bucket: Services, action: str, permission: str
    ) -> None:
        letter(bucket, a_message())
        others = {"view", "change", "delete"} - {permission}
        given = {"action": action, "letter": f"jobs/{UNKNOWN}", "confirmed": "yes"}
        assert staff("other", *others).post(f"{LIST}dead-letters/act/", given).status_code == 403
        assert letters(bucket) == [f"jobs/{UNKNOWN}"]
        assert staff("able", "view", permission).post(f"{LIST}dead-letters/act/", given).status_code == 302
        assert letters(bucket) == []

    def test_a_link_retries_nothing(self, operator: Client) -> None:
        assert operator.get(f"{LIST}dead-letters/act/").status_code == 405

    def test_a_reader_is_offered_no_change(self, reader: Client, looking: Services) -> None:
        pause()
        page = reader.get(f"{LIST}queues/").content.decode()
        assert "queues/pause/" not in page
        assert "queues/resume/" not in page

    def test_the_list_leads_to_the_pages(self, reader: Client) -> None:
        page = reader.get(LIST).content.decode()
        for each in ("queues/", "stuck/", "dead-letters/", "schedules/"):
            assert f'href="{LIST}{each}"' in page


@pytest.mark.usefixtures("mapped")
class TestPausingAQueue:
    def test_it_asks_first(self, operator: Client) -> None:
        page = operator.get(f"{LIST}queues/pause/?kind=queue&name=low")
        assert "Pause the queue low ?" in text(page)
        assert enabled("low")

    def test_it_is_paused_by_the_user_and_resumed(self, operator: Client) -> None:
        given = {"kind": "queue", "name": "low", "why": "The bank is down"}
        page = operator.post(f"{LIST}queues/pause/", given, follow=True)
        [sentence] = said(page)
        assert sentence == "The queue low is paused."
        assert not enabled("low")
        assert enabled("high")
        assert re.search(r"low Paused Resume queue low 0 0 0 - -", text(page))
        assert LogEntry.objects.get().change_message.startswith("The queue low is paused by operator since")
        page = operator.post(f"{LIST}queues/resume/", {"kind": "queue", "name": "low"}, follow=True)
        assert said(page) == ["The queue low is resumed."]
        assert enabled("low")
        assert pauses() == []

    def test_a_mapping_that_was_disabled_elsewhere_is_seen(self, reader: Client) -> None:
        [mapping] = mappings_of(current_services().config.queue_url("low"))
        session.client("lambda").update_event_source_mapping(UUID=mapping.id, Enabled=False)
        assert "low Disabled in Lambda 0 0 0 - -" in text(reader.get(f"{LIST}queues/"))


class TestPausingATask:
    def test_where_workers_do_not_look_the_page_says_how_to_let_them(self, operator: Client) -> None:
        assert "deploy the stack with TaskPauses=true" in text(operator.get(f"{LIST}queues/"))
        page = operator.post(f"{LIST}queues/pause/", {"kind": "task", "name": "sum"}, follow=True)
        [sentence] = said(page)
        assert sentence.startswith("Nothing was paused: workers do not look at paused tasks.")
        assert pauses() == []

    def test_it_is_paused_until_a_time_of_the_sites_zone(self, operator: Client, looking: Services) -> None:
        page = operator.get(f"{LIST}queues/pause/?kind=task")
        assert '<option value="sum">' in page.content.decode()
        with override_settings(TIME_ZONE="Europe/Vienna"):
            given = {"kind": "task", "name": "sum", "why": "wrong", "until": "2035-01-31T08:00"}
            operator.post(f"{LIST}queues/pause/", given)
        [found] = pauses()
        assert (found.name, found.by, found.why, found.until) == (
            "sum",
            "operator",
            "wrong",
            2_053_839_600_000,
        )

    @pytest.mark.parametrize("until", ["soon", "2020-01-31T08:00", "2035-99-31T08:00"])
    def test_a_time_that_is_none_pauses_nothing(
        self, operator: Client, looking: Services, until: str
    ) -> None:
        page = operator.post(
            f"{LIST}queues/pause/", {"kind": "task", "name": "sum", "until": until}, follow=True
        )
        assert len(said(page)) == 1
        assert pauses() == []

    def test_a_pause_is_shown_on_the_list_on_the_queues_and_on_the_job_that_it_holds(
        self, operator: Client, looking: Services
    ) -> None:
        held = submit()
        other = submit()
        pause(why="The sums are wrong")
        pause(QUEUE, "low")
        sentence = "The task sum is paused by ada since"
        for page in ("", "queues/", "stuck/", f"{held}/", f"{other}/"):
            assert sentence in text(operator.get(LIST + page)), page
        assert "The queue low is paused" in text(operator.get(LIST))
        assert "The queue low is paused" not in text(operator.get(f"{LIST}{held}/"))

    def test_a_job_that_has_ended_says_nothing_of_it(
        self, operator: Client, looking: Services, work: Callable[[], int], calls: Counter[str]
    ) -> None:
        uuid = submit()
        work()
        pause()
        calls.clear()
        assert "paused" not in text(operator.get(f"{LIST}{uuid}/"))
        assert calls == {"Query": 1, "GetItem": 1}

    def test_a_job_that_was_sent_back_says_why_it_waits(self, operator: Client) -> None:
        uuid = submit()
        message = current_services().store.job(uuid)
        assert message is not None
        current_services().store.returned(message, no_such_task("sum"))
        assert "Waits: The deployed worker has no task named" in text(operator.get(f"{LIST}{uuid}/"))

    def test_the_list_looks_at_pauses_once_in_ten_seconds(
        self, reader: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        time = [current_services().clock.now()]
        monkeypatch.setattr(current_services().clock, "now", lambda: time[0])
        with mock.patch.object(TablePauses, "read", return_value={}) as read:
            for _ in range(3):
                reader.get(LIST)
            assert read.call_count == 1
            time[0] += 10
            reader.get(LIST)
        assert read.call_count == 2

    def test_a_table_that_cannot_be_read_takes_the_banner_only(self, reader: Client) -> None:
        with mock.patch("serverless_tasks.engine.worker.pauses.Pauses.all", side_effect=REFUSED):
            assert reader.get(LIST).status_code == 200


class TestTenants:
    def test_the_page_shows_who_waits_and_calls_it_a_sample(self, reader: Client) -> None:
        for tenant in ("acme", "acme", "bolt"):
            SumNumbers.options(tenant=tenant, on_commit=False).submit(numbers=[1])
        response = reader.get(f"{LIST}queues/")
        page = text(response)
        href = f'{LIST}?status=pending&amp;queue=default&amp;tenant=acme"'
        assert href in response.content.decode()
        listed = reader.get(f"{LIST}?status=pending&queue=default&tenant=acme")
        assert len(listed.context["rows"]) == 2
        assert "Queue Tenant Waiting default acme 2 Jobs default bolt 1 Jobs" in page
        assert "A sample: the jobs that wait among the 3 newest jobs of all known tasks" in page


class TestStuck:
    def test_none_is_said(self, reader: Client) -> None:
        assert "No stuck jobs found." in text(reader.get(f"{LIST}stuck/"))

    def test_each_says_why_and_what_to_do(self, operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        store = current_services().store
        gone = a_message(created=now() - 3_600_000)
        lost = a_message(uuid=UNKNOWN.replace("0b9f", "0b9e"), created=now() - 7_200_000)
        unknown = a_message(uuid=UNKNOWN.replace("0b9f", "0b9d"), task="not.deployed")
        store.put_jobs([gone, lost, unknown])
        store.claim(lost, token="t", lease=now() - 3_600_000, request_id="")
        store.returned(unknown, no_such_task("not.deployed"))
        page = text(operator.get(f"{LIST}stuck/"))
        assert "its queue has no message as old as it. sum 0b9f7a52 default" in page
        assert "Cancel it, then retry it." in page
        assert "Its worker is gone and its queue is empty. sum 0b9e7a52" in page
        assert "End it as lost. It can be retried then." in page
        assert "The deployed worker has no task named 'not.deployed'" in page.replace("&#x27;", "'")
        assert "Deploy code that has the task" in page

    def test_many_of_one_task_do_not_hide_the_others(self, reader: Client) -> None:
        store = current_services().store
        for number in range(7):
            unknown = a_message(uuid=f"0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6{number}", task="not.deployed")
            store.put_jobs([unknown])
            store.returned(unknown, no_such_task("not.deployed"))
        gone = a_message(uuid=UNKNOWN.replace("0b9f", "0b9e"), created=now() - 3_600_000)
        store.put_jobs([gone])
        page = reader.get(f"{LIST}stuck/")
        shown = text(page)
        assert shown.index("0b9e7a52") < shown.index("0b9f7a52")
        assert shown.count("0b9f7a52") == 5
        assert "2 more of not.deployed" in shown
        assert f'{LIST}?status=waiting&amp;task=not.deployed"' in page.content.decode()

    def test_it_looks_at_more_on_request(self, reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stuck, "LOOKED_AT", 1)
        store, before = current_services().store, now() - 3_600_000
        for number in range(3):
            uuid = f"0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6{number}"
            store.put_jobs([a_message(uuid=uuid, created=before - number)])
        first = reader.get(f"{LIST}stuck/")
        assert 'href="?all">Look at 5000 jobs<' in first.content.decode()
        more = reader.get(f"{LIST}stuck/?all")
        assert (first.context["page"].looked_at, more.context["page"].looked_at) == (1, 3)
        assert "?all" not in more.content.decode()

    def test_a_lost_job_is_ended_after_the_question(self, operator: Client) -> None:
        store = current_services().store
        lost = a_message(created=now() - 7_200_000)
        store.put_jobs([lost])
        store.claim(lost, token="t", lease=now() - 3_600_000, request_id="")
        assert "as lost (WorkerLost)?" in text(operator.get(f"{LIST}stuck/end/?uuid={UNKNOWN}"))
        record = store.read(UNKNOWN)
        assert record is not None
        assert record.status == "running"
        page = operator.post(f"{LIST}stuck/end/", {"uuid": UNKNOWN}, follow=True)
        assert said(page) == ["The job has ended as lost; it can be retried."]
        assert "WorkerLost" in text(page)

    def test_a_live_job_is_not_ended(self, operator: Client) -> None:
        store = current_services().store
        live = a_message()
        store.put_jobs([live])
        store.claim(live, token="t", lease=now() + 60_000, request_id="")
        [sentence] = said(operator.post(f"{LIST}stuck/end/", {"uuid": UNKNOWN}, follow=True))
        assert f"Job {UNKNOWN} is running" in sentence

    def test_it_looks_further_on_request(self, reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stuck, "LOOKED_AT", 1)
        store, before = current_services().store, now() - 3_600_000
        for number in range(2):
            uuid = f"0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6{number}"
            store.put_jobs([a_message(uuid=uuid, created=before - number)])
        first = reader.get(f"{LIST}stuck/")
        assert "Of the known tasks, 1 job was looked at, submitted since" in text(first)
        cursor = first.context["page"].cursor
        second = reader.get(f"{LIST}stuck/", {"cursor": cursor})
        shown = [job.record.uuid[-1] for page in (first, second) for job in page.context["page"].jobs]
        assert shown == ["0", "1"]

    def test_a_cursor_of_nobody_leads_back(self, reader: Client) -> None:
        assert reader.get(f"{LIST}stuck/?cursor=nonsense").url == f"{LIST}stuck/"  # type: ignore[attr-defined]

    def test_a_site_that_runs_its_own_tasks_has_no_queues(self, reader: Client) -> None:
        with override_settings(SERVERLESS_TASKS={"BACKEND": "immediate"}):
            assert "There are no queues" in text(reader.get(f"{LIST}stuck/"))


class TestDeadLetters:
    def test_none_is_said(self, reader: Client, bucket: Services) -> None:
        assert "No dead letters." in text(reader.get(f"{LIST}dead-letters/"))

    def test_they_are_listed_with_task_reason_age_and_id(self, reader: Client, bucket: Services) -> None:
        letter(bucket, a_message())
        bucket.dead_letter_store.keep(DeadLetter(id="undecodable/m-1", reason="It is not JSON"), "not ours")
        page = text(reader.get(f"{LIST}dead-letters/"))
        assert re.search(rf"sum It never ended\. .* ago\) default jobs/{UNKNOWN}", page)
        assert re.search(r"Unknown task It is not JSON .* - undecodable/m-1", page)
        assert "2 dead letters" in page

    def test_they_go_on_in_pages(
        self, reader: Client, bucket: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django_integration.admin.dead_letters.PAGE", 2)
        for number in range(3):
            bucket.dead_letter_store.keep(DeadLetter(id=f"undecodable/{number}"), "x")
        first = reader.get(f"{LIST}dead-letters/")
        second = reader.get(LIST + "dead-letters/" + first.context["next"])
        shown = [row[0].id for page in (first, second) for row in page.context["letters"]]
        assert shown == ["undecodable/0", "undecodable/1", "undecodable/2"]
        assert second.context["next"] == ""

    def test_one_shows_its_message_without_its_secrets(self, reader: Client, bucket: Services) -> None:
        message = a_message(inputs={"user": "eve", "password": "swordfish"}, secrets=("password",))
        letter(bucket, message)
        page = reader.get(f"{LIST}dead-letters/jobs/{UNKNOWN}/")
        assert "swordfish" not in page.content.decode()
        assert "eve" in text(page)
        assert "**********" in text(page)
        assert f'href="{LIST}{UNKNOWN}/"' in page.content.decode()

    def test_an_unknown_one_is_not_found(self, reader: Client, bucket: Services) -> None:
        assert reader.get(f"{LIST}dead-letters/undecodable/nobody/").status_code == 404

    def test_a_retry_submits_the_job_again(self, operator: Client, bucket: Services) -> None:
        letter(bucket, a_message())
        given = {"action": "retry", "letter": f"jobs/{UNKNOWN}"}
        page = operator.post(f"{LIST}dead-letters/act/", given, follow=True)
        [sentence] = said(page)
        uuid = sentence.removesuffix(".").rpartition(" ")[2]
        assert sentence.startswith(f"jobs/{UNKNOWN} was sent again as job ")
        again = bucket.store.job(uuid)
        assert again is not None
        assert again.retry_of == UNKNOWN
        assert letters(bucket) == []
        assert LogEntry.objects.get().change_message == sentence

    def test_one_that_is_refused_stays_and_says_why(self, operator: Client, bucket: Services) -> None:
        bucket.dead_letter_store.keep(DeadLetter(id="undecodable/1"), "not ours")
        given = {"action": "retry", "letter": "undecodable/1"}
        [sentence] = said(operator.post(f"{LIST}dead-letters/act/", given, follow=True))
        assert sentence.startswith("undecodable/1 stays: The message body is not JSON")
        assert letters(bucket) == ["undecodable/1"]

    def test_a_purge_asks_first(self, operator: Client, bucket: Services) -> None:
        letter(bucket, a_message())
        given = {"action": "purge", "letter": f"jobs/{UNKNOWN}"}
        page = operator.post(f"{LIST}dead-letters/act/", given)
        assert "Purge this dead letter?" in text(page)
        assert letters(bucket) == [f"jobs/{UNKNOWN}"]
        page = operator.post(f"{LIST}dead-letters/act/", {**given, "confirmed": "yes"}, follow=True)
        assert said(page) == ["1 dead letter was purged."]
        assert letters(bucket) == []

    @pytest.mark.parametrize(("action", "left"), [("retry-all", ["undecodable/1"]), ("purge-all", [])])
    def test_all_are_retried_or_purged_after_a_question(
        self, operator: Client, bucket: Services, action: str, left: list[str]
    ) -> None:
        letter(bucket, a_message())
        bucket.dead_letter_store.keep(DeadLetter(id="undecodable/1"), "not ours")
        page = operator.post(f"{LIST}dead-letters/act/", {"action": action})
        assert "all dead letters?" in text(page)
        assert len(letters(bucket)) == 2
        page = operator.post(f"{LIST}dead-letters/act/", {"action": action, "confirmed": "yes"}, follow=True)
        assert letters(bucket) == left
        if left:
            assert said(page)[0] == "1 dead letter was sent again."
            assert said(page)[1].startswith("undecodable/1 stays:")
        else:
            assert said(page) == ["2 dead letters were purged."]

    def test_one_request_for_all_has_a_bound_and_names_so_many_refusals(
        self, operator: Client, bucket: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django_integration.admin.dead_letters.MOST_OF_ALL", 3)
        monkeypatch.setattr("django_integration.admin.dead_letters.REFUSALS", 1)
        for number in range(4):
            bucket.dead_letter_store.keep(DeadLetter(id=f"undecodable/{number}"), "not ours")
        given = {"action": "retry-all", "confirmed": "yes"}
        page = operator.post(f"{LIST}dead-letters/act/", given, follow=True)
        assert [sentence.partition(":")[0] for sentence in said(page)] == [
            "0 dead letters were sent again.",
            "undecodable/0 stays",
            "2 more stay.",
        ]
        operator.post(f"{LIST}dead-letters/act/", {"action": "purge-all", "confirmed": "yes"})
        assert letters(bucket) == ["undecodable/3"]

    def test_none_chosen_is_said(self, operator: Client, bucket: Services) -> None:
        for given in (
            {"action": "retry"},
            {"letter": "undecodable/1"},
            {"action": "eat", "letter": "undecodable/1"},
        ):
            [sentence] = said(operator.post(f"{LIST}dead-letters/act/", given, follow=True))
            assert sentence.startswith("Select an action")

    def test_one_that_is_gone_is_said(self, operator: Client, bucket: Services) -> None:
        given = {"action": "purge", "letter": "undecodable/nobody", "confirmed": "yes"}
        [sentence] = said(operator.post(f"{LIST}dead-letters/act/", given, follow=True))
        assert "undecodable/nobody" in sentence

    def test_without_a_bucket_the_setting_is_named(self, reader: Client) -> None:
        assert "SERVERLESS_TASKS_BUCKET is not set" in text(reader.get(f"{LIST}dead-letters/"))

    def test_a_site_that_runs_its_own_tasks_has_none(self, reader: Client) -> None:
        with override_settings(SERVERLESS_TASKS={"BACKEND": "immediate"}):
            assert "has no dead letters" in text(reader.get(f"{LIST}dead-letters/"))


class TestShownBody:
    @pytest.mark.parametrize("secrets", [None, "password", [1], {"password": True}])
    def test_where_the_names_of_the_secrets_cannot_be_read_all_inputs_are_masked(
        self, secrets: object
    ) -> None:
        body = json.dumps({"v": 9, "inputs": {"password": "swordfish"}, "secrets": secrets})
        assert "swordfish" not in shown_body(body)

    def test_inputs_that_are_no_object_are_masked(self) -> None:
        assert "swordfish" not in shown_body(json.dumps({"inputs": ["swordfish"]}))

    def test_what_is_no_object_is_shown_as_it_is_up_to_a_bound(self) -> None:
        assert shown_body("not ours") == "not ours"
        assert shown_body("[1]") == "[1]"
        long = shown_body("x" * (LONGEST + 5))
        assert long.endswith("(5 more characters)")

    def test_a_message_without_secrets_is_shown_whole(self) -> None:
        assert json.loads(shown_body(a_message_text())) == json.loads(a_message_text())


def a_message_text() -> str:
    return Message(uuid=UNKNOWN, task="sum", inputs={"numbers": [1]}).encode()


class TestSchedules:
    @pytest.fixture
    def nightly(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Task]]:
        class Nightly(Task):
            name = "reports.nightly"
            schedule = cron("0 6 * * ? *")
            queue = "low"

            def run(self) -> None: ...

        services = current_services()
        config = replace(
            services.config,
            schedule_group="group",
            scheduler_role="arn:aws:iam::123456789012:role/scheduler",
            dead_letter_queue_url=services.config.queue_urls["high"],
        )
        monkeypatch.setattr(services, "config", config)
        registry = type(services.registry)([Nightly])
        monkeypatch.setattr(services, "registry", registry)
        session.client("scheduler").create_schedule_group(Name="group")
        return Nightly

    def test_each_says_its_task_expression_state_and_next_run(
        self, reader: Client, nightly: type[Task]
    ) -> None:
        assert "reports.nightly cron(0 6 * * ? *) Not deployed - -" in text(reader.get(f"{LIST}schedules/"))
        self.sync()
        page = text(reader.get(f"{LIST}schedules/"))
        assert re.search(
            r"reports\.nightly cron\(0 6 \* \* \? \*\) Enabled - \S+ \d+, 20\d\d, \d\d:00:00 [A-Z]+", page
        )

    def test_the_last_run_is_found_by_its_time(
        self, reader: Client, nightly: type[Task], calls: Counter[str]
    ) -> None:
        from serverless_tasks.engine.definition.recurring import task_schedule_name
        from serverless_tasks.engine.job.message import scheduled_job_id

        self.sync()
        schedule = task_schedule_name("reports.nightly")
        day = 86_400_000
        fired = (now() - 6 * 3_600_000) // day * day + 6 * 3_600_000 - day  # yesterday's, or the day's before
        uuid = scheduled_job_id(schedule, fired)
        message = a_message(uuid=uuid, task="reports.nightly", inputs={}, created=fired, schedule=schedule)
        current_services().store.put_jobs([message])
        calls.clear()
        page = reader.get(f"{LIST}schedules/")
        assert f'href="{LIST}{uuid}/"' in page.content.decode()
        assert re.search(r"Enabled \S+ \d+, 20\d\d, \d\d:00:00 [A-Z]+ Pending", text(page))
        assert calls["Query"] == 0

    def test_a_scheduler_that_cannot_be_asked_is_said(self, reader: Client) -> None:
        assert "The schedules could not be read." in text(reader.get(f"{LIST}schedules/"))

    def test_a_site_that_runs_its_own_tasks_has_none(self, reader: Client) -> None:
        with override_settings(SERVERLESS_TASKS={"BACKEND": "immediate"}):
            assert "fired by a deployed stack" in text(reader.get(f"{LIST}schedules/"))

    def sync(self) -> None:
        from serverless_tasks.engine.definition.schedule_sync import apply, plan

        services = current_services()
        apply(plan(services.registry, services.schedule_group), services.schedule_group)
