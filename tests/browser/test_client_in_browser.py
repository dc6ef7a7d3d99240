"""The built client in a real browser: what the fakes of its unit tests cannot show."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.scripted_site import UUID, Answer, ScriptedSite, record, succeeded

pytestmark = pytest.mark.browser

FOLLOW = """async () => {
  TaskAPI.options.pollInterval = 20
  const progress = []
  try {
    const record = await TaskAPI.run('sum', {numbers: [1, 2]}, r => progress.push([r.status, r.progress]))
    return {progress, record}
  } catch (reason) {
    return {progress, record: reason instanceof Error ? null : reason, status: reason.status, body: reason.body}
  }
}"""
EVENTS = f"/tasks/{UUID}/events/"
SET_HIDDEN = """hidden => {
  Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden})
  document.dispatchEvent(new Event('visibilitychange'))
}"""


@pytest.fixture
def blank(site: ScriptedSite, page: Page) -> Page:
    page.goto(site.url)
    site.on("POST", "/tasks/", Answer(record(status="pending"), 201))
    return page


def follow(page: Page) -> dict[str, Any]:
    result: dict[str, Any] = page.evaluate(FOLLOW)
    return result


def test_runs_a_task_to_its_result(blank: Page, site: ScriptedSite) -> None:
    site.polls(record(progress=1), record(progress=2), succeeded(progress=3))
    seen = follow(blank)
    assert seen["record"]["outputs"] == {"sum": 3}
    assert seen["progress"] == [["pending", 0], ["running", 1], ["running", 2], ["succeeded", 3]]
    (request,) = site.asked("POST", "/tasks/")
    assert request.body == {"task": "sum", "inputs": {"numbers": [1, 2]}}
    assert request.headers["x-csrftoken"] == "s3cret"


def test_rejects_with_the_record_of_a_failed_task(blank: Page, site: ScriptedSite) -> None:
    failed = record(status="failed", error={"type": "ValueError", "message": "no"})
    site.polls(failed)
    assert follow(blank)["record"] == failed


def test_survives_a_server_that_is_away_for_a_while(blank: Page, site: ScriptedSite) -> None:
    away = Answer({"detail": "away"}, 503)
    site.polls(record(), away, away, away, succeeded())
    assert follow(blank)["record"]["status"] == "succeeded"


def test_rejects_when_the_server_stays_away(blank: Page, site: ScriptedSite) -> None:
    site.polls(Answer({"detail": "away"}, 503))
    seen = follow(blank)
    assert (seen["record"], seen["status"], seen["body"]) == (None, 503, {"detail": "away"})


def test_asks_with_the_etag_it_has_and_takes_a_304_for_the_record(blank: Page, site: ScriptedSite) -> None:
    tagged = {"ETag": '"1"', "Cache-Control": "no-cache"}
    site.polls(Answer(record(progress=1), 200, tagged), Answer(None, 304, tagged), succeeded())
    seen = follow(blank)
    assert seen["progress"] == [["pending", 0], ["running", 1], ["running", 1], ["succeeded", 0]]
    first, second, *_ = site.asked("GET", f"/tasks/{UUID}/")
    assert "if-none-match" not in first.headers
    assert second.headers["if-none-match"] == '"1"'


def test_does_not_poll_a_hidden_page_and_catches_up_when_shown(blank: Page, site: ScriptedSite) -> None:
    blank.clock.install()
    poll = f"/tasks/{UUID}/"
    site.polls(record(), succeeded())
    with blank.expect_response(f"**{poll}"):
        blank.evaluate("() => { window.followed = TaskAPI.run('sum', {}); setTimeout(() => 0) }")
        blank.clock.run_for(1)
    blank.evaluate(SET_HIDDEN, arg=True)
    blank.clock.run_for(3_600_000)
    assert len(site.asked("GET", poll)) == 1
    blank.evaluate(SET_HIDDEN, arg=False)
    assert blank.evaluate("window.followed.then(record => record.status)") == "succeeded"
    assert len(site.asked("GET", poll)) == 2


def test_follows_the_stream_of_events_that_the_server_offers(blank: Page, site: ScriptedSite) -> None:
    offered = {"X-Task-Events": "1"}
    site.on("POST", "/tasks/", Answer(record(status="pending"), 201, offered))
    site.on("GET", EVENTS, Answer([record(progress=1), succeeded()], stream=True))
    seen = follow(blank)
    assert seen["progress"] == [["pending", 0], ["running", 1], ["succeeded", 0]]
    assert site.asked("GET", f"/tasks/{UUID}/") == []


def test_polls_when_the_stream_does_not_work(blank: Page, site: ScriptedSite) -> None:
    offered = {"X-Task-Events": "1"}
    site.on("POST", "/tasks/", Answer(record(status="pending"), 201, offered))
    site.on("GET", EVENTS, Answer({"detail": "no"}, 500))
    site.polls(Answer(record(), 200, offered), succeeded())
    assert follow(blank)["record"]["status"] == "succeeded"
    assert len(site.asked("GET", EVENTS)) == 1


def test_goes_on_where_a_stream_that_worked_was_cut(blank: Page, site: ScriptedSite) -> None:
    offered = {"X-Task-Events": "1"}
    site.on("POST", "/tasks/", Answer(record(status="pending"), 201, offered))
    site.on("GET", EVENTS, Answer([record(progress=1)], stream=True), Answer([succeeded()], stream=True))
    site.polls(Answer(record(progress=2), 200, offered))
    assert [progress for _, progress in follow(blank)["progress"]] == [0, 1, 2, 0]


def test_twelve_followed_tasks_leave_connections_to_the_rest_of_the_page(
    blank: Page, site: ScriptedSite
) -> None:
    uuids = [f"{UUID[:-2]}{number}" for number in range(10, 22)]
    offered = {"X-Task-Events": "1"}
    for uuid in uuids:
        site.on("GET", f"/tasks/{uuid}/", Answer(record(uuid=uuid), 200, offered))
        site.on(
            "GET", f"/tasks/{uuid}/events/", Answer([record(uuid=uuid, progress=1)], stream=True, held=True)
        )
    site.on("GET", "/beside/", {"beside": True})
    took = blank.evaluate(
        """async uuids => {
          TaskAPI.options.pollInterval = 100
          let streamed = 0
          const two = new Promise(resolve => uuids.forEach(uuid =>
            TaskAPI.watch(uuid, ({ progress }) => { if (progress && ++streamed == 2) resolve() }).catch(() => {})))
          await two
          const began = performance.now()
          for (let times = 0; times < 5; times++) await (await fetch('/beside/')).json()
          return performance.now() - began
        }""",
        uuids,
    )
    assert took < 1000
    streams = [request for request in site.requests if request.path.endswith("/events/")]
    assert len(streams) == 2
    for uuid in uuids[2:]:
        assert site.asked("GET", f"/tasks/{uuid}/")


def test_a_token_that_expires_in_mid_stream_is_renewed(blank: Page, site: ScriptedSite) -> None:
    offered = {"X-Task-Events": "1"}
    refusal = {"error": {"type": "TokenExpired", "message": "The token has expired."}}
    site.on("POST", "/tasks/", Answer(record(status="pending"), 201, offered))
    site.on("GET", EVENTS, Answer([record(progress=1)], stream=True), Answer([succeeded()], stream=True))
    site.polls(Answer(refusal, 401), Answer(record(progress=2), 200, offered))
    seen = blank.evaluate(
        """async () => {
          TaskAPI.options.pollInterval = 20
          let given = 0
          const progress = []
          const record = await TaskAPI.run('sum', {numbers: [1, 2]}, {
            token: async () => `token-${++given}`,
            onProgress: r => progress.push(r.progress),
          })
          return {progress, status: record.status}
        }"""
    )
    assert seen == {"progress": [0, 1, 2, 0], "status": "succeeded"}
    sent = [(request.method, request.path, request.headers["authorization"]) for request in site.requests]
    poll = f"/tasks/{UUID}/"
    assert sent == [
        ("POST", "/tasks/", "Bearer token-1"),
        ("GET", EVENTS, "Bearer token-1"),
        ("GET", poll, "Bearer token-1"),
        ("GET", poll, "Bearer token-2"),
        ("GET", EVENTS, "Bearer token-2"),
    ]
    assert all("cookie" not in request.headers for request in site.requests)


def test_cancel_and_its_conflict(blank: Page, site: ScriptedSite) -> None:
    path = f"/tasks/{UUID}/cancel/"
    site.on("POST", path, record(cancel_requested=True), Answer({"detail": "ended"}, 409))
    cancel = "uuid => TaskAPI.cancel(uuid).catch(error => error.status)"
    assert blank.evaluate(cancel, UUID)["cancel_requested"] is True
    assert blank.evaluate(cancel, UUID) == 409


def test_callbacks_are_called_as_the_older_client_calls_them(blank: Page, site: ScriptedSite) -> None:
    site.polls(record(progress=1), succeeded())
    called = blank.evaluate(
        """() => new Promise(resolve => {
          const calls = []
          TaskAPI.options.pollInterval = 20
          const done = name => record => { calls.push([name, record.status]); setTimeout(() => resolve(calls)) }
          TaskAPI.run('sum', {}, r => calls.push(['progress', r.status]), done('success'), done('error'))
        })"""
    )
    assert called[-2:] == [["progress", "succeeded"], ["success", "succeeded"]]
