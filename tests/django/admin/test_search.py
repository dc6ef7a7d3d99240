"""The filters of the list of jobs, the search box, and what a page says of how far it has looked."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from django_integration.admin import pages
from django_integration.admin.search import Search, described, field_value
from django_integration.web.times import local_time
from serverless_tasks.client import search
from serverless_tasks.client.job_filter import JobFilter
from serverless_tasks.client.operations.bulk.submission import BULK
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.services import current_services
from serverless_tasks.workflow import group
from tests.django.admin.test_admin import LIST, UNKNOWN, staff, submit, text
from tests.django.shop.background import Fails, SumNumbers


@pytest.fixture
def deleter(db: None) -> Client:
    return staff("deleter", "view", "delete")


def found(client: Client, **query: Any) -> list[str]:
    """The jobs that a search lists."""
    answer = client.get(LIST, query)
    assert answer.context.get("problem") is None
    assert answer.context.get("problems") is None
    return [row.record.uuid for row in answer.context["rows"]]


def iso(moment: datetime) -> str:
    return moment.isoformat()


class TestFilters:
    @pytest.fixture
    def failed(self, work: Callable[[], int]) -> str:
        """A job that has failed, among others."""
        uuid: str = (
            Fails.options(owner="7", tenant="acme", queue="low", on_commit=False).submit(kindly=1).uuid
        )
        other = submit(SumNumbers)
        work()
        assert other != uuid
        return uuid

    @pytest.mark.parametrize(
        "query",
        [
            {"status": "failed"},
            {"task": "fails"},
            {"task": ["fails", "nobody-has-this-one"]},
            {"owner": "7"},
            {"tenant": "acme"},
            {"queue": "low"},
            {"error_type": "TaskError"},
            {"status": "failed", "tenant": "acme", "queue": "low", "owner": "7", "task": "fails"},
        ],
    )
    def test_each_finds_the_job_and_nothing_else(
        self, reader: Client, failed: str, query: dict[str, Any]
    ) -> None:
        assert found(reader, **query) == [failed]

    @pytest.mark.parametrize(
        "query",
        [
            {"tenant": "other"},
            {"queue": "high"},
            {"error_type": "ValueError"},
            {"fingerprint": "0000"},
            {"status": "waiting"},
            {"longer_than": "1h"},
        ],
    )
    def test_each_leaves_out_what_it_does_not_fit(
        self, reader: Client, failed: str, query: dict[str, Any]
    ) -> None:
        assert found(reader, **query) == []

    def test_a_duration(self, reader: Client, work: Callable[[], int]) -> None:
        uuid = submit(SumNumbers)
        work()
        record = current_services().store.read(uuid)
        assert record is not None
        took = ((record.finished or 0) - (record.started or 0)) / 1000
        assert found(reader, longer_than=f"{took + 1}s") == []
        if took:
            assert found(reader, longer_than="0") == [uuid]

    @pytest.mark.parametrize("time", ["submitted", "started", "finished"])
    def test_times_to_the_second(self, reader: Client, work: Callable[[], int], time: str) -> None:
        uuid = submit(SumNumbers)
        work()
        record = current_services().store.read(uuid)
        assert record is not None
        of_job = {"submitted": record.created, "started": record.started, "finished": record.finished}[time]
        assert of_job is not None
        moment = datetime.fromtimestamp(of_job / 1000, UTC)
        second = timedelta(seconds=1)
        whole = moment.replace(microsecond=0)
        assert found(reader, time=time, since=iso(whole)) == [uuid]
        assert found(reader, time=time, since=iso(whole), until=iso(whole + second)) == [uuid]
        assert found(reader, time=time, since=iso(whole + second)) == []
        assert found(reader, time=time, until=iso(whole)) == []

    def test_a_time_without_a_zone_is_the_sites(self, reader: Client, work: Callable[[], int]) -> None:
        uuid = submit(SumNumbers)
        local = timezone.localtime().replace(tzinfo=None)
        since = (local - timedelta(seconds=60)).isoformat(timespec="seconds")
        until = (local + timedelta(seconds=60)).isoformat(timespec="seconds")
        assert found(reader, since=since, until=until) == [uuid]
        answer = reader.get(LIST, {"since": since})
        assert (
            f'<input type="datetime-local" step="1" name="since" value="{since}">' in answer.content.decode()
        )

    @pytest.mark.usefixtures("scheduling")
    def test_the_members_of_a_group(self, reader: Client) -> None:
        submit(SumNumbers)
        handle = group([SumNumbers.signature(numbers=[n]) for n in (1, 2)]).options(on_commit=False).submit()
        members = {member_id(handle.uuid, index) for index in (0, 1)}
        assert set(found(reader, group=handle.uuid)) == members

    def test_members_of_what_is_no_group_are_none(self, reader: Client) -> None:
        page = text(reader.get(LIST, {"group": submit(SumNumbers)}))
        assert "The jobs could not be read." in page

    @pytest.mark.parametrize(
        ("query", "problem"),
        [
            ({"since": "yesterday"}, "“yesterday” is not a time"),
            ({"until": "2026-13-01"}, "“2026-13-01” is not a time"),
            ({"longer_than": "long"}, "“long” is not a duration"),
            ({"group": "nightly"}, "“nightly” is not the id of a group"),
        ],
    )
    def test_what_cannot_be_read_is_said_and_finds_nothing(
        self, reader: Client, query: dict[str, str], problem: str
    ) -> None:
        submit(SumNumbers)
        answer = reader.get(LIST, query)
        assert problem in text(answer)
        assert answer.context["rows"] == []

    def test_links_keep_what_they_do_not_change(self, reader: Client) -> None:
        query = {"tenant": "acme", "task": "sum", "since": "2026-01-31T08:00:00", "error_type": "A B"}
        (statuses, _, tasks) = reader.get(LIST, query).context["filters"]
        chosen = next(choice for choice in statuses.choices if choice.display == "Failed")
        asked = Search.from_query(QueryDict(chosen.query_string.removeprefix("?")))
        assert (asked.status, asked.tenant, asked.task) == ("failed", "acme", ("sum",))
        assert (asked.since, asked.error_type) == ("2026-01-31T08:00:00", "A B")
        assert [choice.display for choice in tasks.choices if choice.selected] == ["sum"]

    def test_columns(self, reader: Client, failed: str) -> None:
        record = current_services().store.read(failed)
        assert record is not None
        page = text(reader.get(LIST, {"status": "failed"}))
        assert "Status Reason Job Task Attempts Duration Queue wait Tenant Owner Submitted Finished" in page
        assert f"Failed TaskError: There is no more paper. {failed[:8]} fails 1 " in page
        assert " acme 7 " in page

    def test_there_is_no_column_of_tenants_or_owners_where_no_job_of_the_page_has_one(
        self, reader: Client, failed: str
    ) -> None:
        page = text(reader.get(LIST, {"task": "sum"}))
        assert "Attempts Duration Queue wait Submitted Finished" in page

    def test_times_have_seconds_and_a_zone(self, reader: Client, failed: str) -> None:
        record = current_services().store.read(failed)
        assert record is not None
        local = local_time(record.created)
        page = text(reader.get(LIST, {"status": "failed"}))
        assert f"{local:%H:%M:%S} {local:%Z}" in page
        assert f"{local:%H:%M:%S} {local:%Z}" in text(reader.get(f"{LIST}{failed}/"))


class TestSearchBox:
    def test_a_whole_id_leads_to_the_job(self, reader: Client) -> None:
        uuid = submit(SumNumbers)
        assert reader.get(LIST, {"q": uuid})["Location"] == f"{LIST}{uuid}/"
        assert reader.get(LIST, {"q": uuid.upper()})["Location"] == f"{LIST}{uuid}/"

    @pytest.mark.parametrize("digits", [8, 13])
    def test_a_short_one_leads_to_it_too(self, reader: Client, digits: int) -> None:
        uuid = submit(SumNumbers)
        submit(SumNumbers)
        assert reader.get(LIST, {"q": uuid[:digits]})["Location"] == f"{LIST}{uuid}/"

    def test_a_shorter_one_finds_it(self, reader: Client) -> None:
        uuid = submit(SumNumbers)
        answer = reader.get(LIST, {"q": uuid[:6]}, follow=True)
        assert uuid in answer.content.decode()

    def test_one_that_several_have_lists_them(self, reader: Client) -> None:
        ids = [f"aaaaaaaa-0000-4000-8000-00000000000{n}" for n in range(2)]
        for uuid in ids:
            SumNumbers.options(uuid=uuid, on_commit=False).submit(numbers=[1])
        assert sorted(found(reader, q="aaaaaaaa")) == ids

    def test_one_that_nothing_has_says_so_and_offers_the_owner(self, reader: Client) -> None:
        submit(SumNumbers, owner="20260131")
        page = reader.get(LIST, {"q": "20260131"})
        assert "No job was found whose id begins with 20260131." in text(page)
        assert "?owner=20260131" in page.content.decode()

    @pytest.mark.parametrize("name", ["ada", "7", "beef"])
    def test_a_name_is_an_owner(self, reader: Client, name: str) -> None:
        assert reader.get(LIST, {"q": name, "status": "failed"})["Location"].endswith(
            f"?status=failed&owner={name}"
        )

    def test_an_unknown_id_is_not_found(self, reader: Client) -> None:
        assert "No job was found whose id begins with" in text(reader.get(LIST, {"q": UNKNOWN}))


class TestOwner:
    def test_an_owner_of_whom_something_was_found_may_be_deleted(self, deleter: Client, user: User) -> None:
        submit(SumNumbers, owner=str(user.pk))
        page = deleter.get(LIST, {"owner": "ada"})
        assert f"owner/delete/?owner={user.pk}" in page.content.decode()

    def test_one_of_whom_nothing_was_found_may_not(self, deleter: Client, user: User) -> None:
        for owner in ("ada", "nobody"):
            assert b"owner/delete/" not in deleter.get(LIST, {"owner": owner}).content

    def test_only_who_may_delete_is_offered_it(self, reader: Client, user: User) -> None:
        submit(SumNumbers, owner=str(user.pk))
        assert b"owner/delete/" not in reader.get(LIST, {"owner": "ada"}).content


class TestHowFar:
    def test_a_page_that_did_not_look_at_all_says_how_far_it_came(
        self, reader: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = search.JobsPage(records=(), cursor="abc", looked_at=500, looked_back_to=1_767_225_600_000)
        with mock.patch.object(pages, "search_jobs", return_value=page):
            answer = reader.get(LIST, {"tenant": "acme"})
        assert "500 jobs were looked at, back to" in text(answer)
        assert 'href="?tenant=acme&amp;cursor=abc" rel="next">Look further</a>' in answer.content.decode()

    def test_one_that_found_some_says_it_too(self, reader: Client) -> None:
        uuid = submit(SumNumbers)
        record = current_services().store.read(uuid)
        assert record is not None
        page = search.JobsPage(records=(record,), cursor="abc", looked_at=500, looked_back_to=record.created)
        with mock.patch.object(pages, "search_jobs", return_value=page):
            answer = text(reader.get(LIST, {"tenant": "acme"}))
        assert "1 job · Look further" in answer
        assert "500 jobs were looked at, back to" in answer

    def test_a_full_page_leads_to_older_jobs(self, reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pages, "PAGE", 2)
        SumNumbers.options(on_commit=False).submit_many([{"numbers": [n]} for n in range(3)])
        answer = text(reader.get(LIST))
        assert "2 jobs · Older jobs" in answer
        assert "looked at" not in answer


class TestCost:
    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"status": "failed"},
            {"tenant": "acme"},
            {"error_type": "ValueError"},
            {"task": "fails"},
            {"q": "abcdef"},
        ],
    )
    def test_a_page_costs_what_its_search_costs(
        self, reader: Client, calls: Counter[str], work: Callable[[], int], query: dict[str, str]
    ) -> None:
        for _ in range(3):
            submit(Fails, kindly=1)
        work()
        services = current_services()
        search.known_names(services)  # reads the manifest once a process
        filters, _ = Search.from_query(QueryDict("&".join(f"{k}={v}" for k, v in query.items()))).job_filter(
            None, services.clock.now()
        )
        calls.clear()
        search.search_jobs(services.store, filters, limit=pages.PAGE, names=search.known_names(services))
        searched = Counter(calls)
        calls.clear()
        reader.get(LIST, query)
        assert calls == searched + Counter(GetItem=1)  # one look at the pauses in ten seconds

    def test_the_actions_on_many_jobs_are_asked_for_by_their_own_link_alone(self, reader: Client) -> None:
        assert f"?task={BULK}" in reader.get(LIST).content.decode()
        assert BULK not in search.known_names(current_services())


class TestWords:
    def test_a_filter_is_described(self) -> None:
        filters = JobFilter(tasks=("a", "b"), status="waiting", tenant="acme", longer_than=90)
        assert described(filters) == [
            ("Status", "Waiting long"),
            ("Task", "a, b"),
            ("Tenant", "acme"),
            ("Ran longer than", "90 s"),
        ]

    @pytest.mark.parametrize(
        ("given", "seconds"),
        [
            ("90", 90),
            ("90s", 90),
            ("1.5 min", 90),
            ("5m", 300),
            ("2h", 7200),
            ("1d", 86_400),
            ("2 years", None),
        ],
    )
    def test_durations_have_units(self, given: str, seconds: float | None) -> None:
        filters, problems = Search(longer_than=given).job_filter(None, 0)
        assert filters.longer_than == seconds
        assert bool(problems) == (seconds is None)

    def test_a_time_in_milliseconds_is_one_too(self) -> None:
        filters, _ = Search(since="1767225600000").job_filter(None, 0)
        assert filters.since == 1_767_225_600_000
        assert field_value("1767225600000") == "2025-12-31T18:00:00"  # in the site's zone

    @pytest.mark.parametrize("given", ["9999-12-31T23:59", "0001-01-01T00:00+10:00"])
    def test_a_time_outside_of_the_calendar_is_none(self, reader: Client, given: str) -> None:
        assert "is not a time" in text(reader.get(LIST, {"since": given}))
