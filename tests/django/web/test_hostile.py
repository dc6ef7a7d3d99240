"""Requests that mean harm: each is answered by a clean refusal in JSON, and nothing happens.

Jobs run at once and in memory here: what is asked is what gets past the HTTP calls.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client

from serverless_tasks.engine.services import current_services, reset
from tests.django.shop.background import SumNumbers

UNKNOWN = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"
SCRIPT = "<script>alert(1)</script>"
BOX = '{"box": {"width": 1, "height": 2}}'
# Each call that takes a body, and where in a good body a value stands.
TAKES = {
    "create": ("/tasks/", '{"task": "sum", "inputs": {"numbers": %s}}'),
    "create typed": ("/tasks/", '{"task": "resize", "inputs": {"box": %s}}'),
    "submit": ("/tasks/resize/", '{"box": %s}'),
    "run": ("/tasks/resize/run", '{"box": %s}'),
}
CALLS = [
    ("GET", "/tasks/"),
    ("POST", "/tasks/"),
    ("GET", f"/tasks/{UNKNOWN}/"),
    ("POST", f"/tasks/{UNKNOWN}/cancel/"),
    ("GET", f"/tasks/{UNKNOWN}/members/"),
    ("GET", f"/tasks/{UNKNOWN}/events/"),
    ("GET", "/tasks/openapi.json"),
    ("POST", "/tasks/resize/"),
    ("POST", "/tasks/resize/run"),
]
PAGES = [("GET", "/tasks/docs"), ("GET", f"/tasks/{UNKNOWN}/view/")]


@pytest.fixture(autouse=True)
def aws(settings: Any) -> Iterator[None]:
    """Instead of moto: the backend that runs at once, in memory."""
    settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
    settings.TASKS_API_AUTHENTICATION = "ninja.security.SessionAuth"
    apps.get_app_config("serverless_tasks")._wire()
    yield
    reset()


@pytest.fixture
def browser(user: User) -> Client:
    """An error of ours is an answer of 500, as a site gives it."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def numbered(*values: Any) -> list[Any]:
    """Parameters whose names are short."""
    return [pytest.param(value, id=f"{number} {value[:20]!r}") for number, value in enumerate(values)]


def jobs() -> int:
    return len(current_services().store.list_tasks(["sum"]).records) + len(
        current_services().store.list_tasks(["resize"]).records
    )


def said(answer: Any) -> str:
    """What a refusal says; that it is one, in JSON, without anything of the inside."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.content[:500])
    assert answer["Content-Type"].startswith("application/json"), answer.content[:500]
    text: str = answer.content.decode()
    assert "Traceback" not in text
    assert 'File \\"' not in text
    body = json.loads(text)
    if answer.status_code == 422:
        assert all(error["msg"] and error["loc"] for error in body["detail"])
    else:
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert body["error"]["type"]
        assert body["error"]["message"]
    return text


def send(client: Client, url: str, body: bytes | str, kind: str = "application/json", **extra: Any) -> Any:
    return client.generic("POST", url, body, content_type=kind, CONTENT_TYPE=kind, **extra)


class TestValues:
    """In the place of a good value of each call that takes a body."""

    @pytest.mark.parametrize(
        "value",
        numbered(
            "1e400",
            "-1e400",
            "NaN",
            "Infinity",
            "-Infinity",
            "9" * 5_000,
            f"[{'9' * 5_000}]",
            "[1e400, NaN]",
            '"\\ud800"',
            '{"\\udfff": 1}',
            '{"width": 1, "height": 1e400}',
            '{"width": NaN, "height": 1}',
            '{"width": 1, "width": 2, "height": 1}',
            '{"width": 1.5, "height": 1}',
            "[" * 200 + "]" * 200,
            "[" * 3_000 + "]" * 3_000,
            "[" * 100_000 + "]" * 100_000,
            '{"a":' * 3_000 + "1" + "}" * 3_000,
            '{"a":' * 100_000 + "1" + "}" * 100_000,
            "0x10",
            "01",
            "1_000",
            "'1'",
            "undefined",
            '"\x00"',
            "1} // ",
            "",
        ),
    )
    @pytest.mark.parametrize("call", TAKES)
    def test_it_is_refused(self, browser: Client, call: str, value: str) -> None:
        url, body = TAKES[call]
        said(send(browser, url, body % value))
        assert jobs() == 0

    @pytest.mark.parametrize(
        ("call", "value"),
        [
            ("create", "[1e-400]"),
            ("create", f"[{10**300}]"),
            ("create", "[-0.0]"),
            ("create typed", '{"width": 1e2, "height": 1}'),
            ("submit", f'{{"width": {10**30}, "height": 1}}'),
        ],
    )
    def test_what_is_odd_and_fits_is_taken(self, browser: Client, call: str, value: str) -> None:
        url, body = TAKES[call]
        answer = send(browser, url, body % value)
        assert answer.status_code == 201, answer.content
        assert browser.get(f"/tasks/{answer.json()['uuid']}/").json()["status"] == "succeeded"

    def test_nul_characters_and_markup_come_back_as_they_were_and_only_as_json(self, browser: Client) -> None:
        body = {"task": "resize", "inputs": {"box": {"width": 1, "height": 1}, "note": f"\x00{SCRIPT}\u2028"}}
        answer = send(browser, "/tasks/", json.dumps(body))
        assert answer.status_code == 201
        view = browser.get(f"{answer['Location']}view/")
        assert SCRIPT not in view.content.decode()


class TestBodies:
    @pytest.mark.parametrize("url", ["/tasks/", "/tasks/resize/", "/tasks/resize/run"])
    @pytest.mark.parametrize(
        "body",
        numbered(
            b"",
            b"\xef\xbb\xbf" + BOX.encode(),
            BOX.encode("utf-16"),
            BOX.encode("utf-16-le"),
            BOX.encode("utf-32"),
            BOX.encode("utf-7").replace(b"{", b"+AHs-"),
            b'{"note": "\xc0\xaf"}',
            b'{"note": "\xed\xa0\x80"}',
            b'{"note": "\xf5\x80\x80\x80"}',
            b'{"note": "\xff"}',
            b"\x00" * 100,
            b"\x00" + BOX.encode(),
            BOX.encode() + b"\x00",
            BOX.encode() * 2,
            b"null",
            b"[]",
            b'"sum"',
            b"true",
            b"1",
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
            b"task=sum&inputs=1",
            b"!!python/object/apply:os.system ['true']",
            b"\x80\x04\x95",
            b'{"__proto__": {"admin": true}}',
            b'{"task": "sum", "inputs": {"numbers": [1]}, "owner": "1"}',
            b'{"task": "sum", "task": "sum", "inputs": {"numbers": [1]}}',
            b'{"task": {"$ne": null}, "inputs": {}}',
            b'{"task": "os.system", "inputs": {"command": "true"}}',
            b'{"task": "' + b"x" * 100_000 + b'", "inputs": {}}',
            b'{"' + b"x" * 100_000 + b'": 1}',
            b'{"task": "' + SCRIPT.encode() + b'", "inputs": {}}',
        ),
    )
    def test_it_is_refused(self, browser: Client, url: str, body: bytes) -> None:
        assert len(said(send(browser, url, body))) < 5_000 or url != "/tasks/"
        assert jobs() == 0

    @pytest.mark.parametrize("url", ["/tasks/", "/tasks/resize/", "/tasks/resize/run"])
    @pytest.mark.parametrize(
        "kind",
        numbered(
            "text/plain",
            "text/json",
            "application/xml",
            "text/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "application/json-patch+json",
            "application/jsonp",
            "application/x-www-form-urlencoded, application/json",
            "application/octet-stream",
            "*/*",
            "; charset=utf-8",
            "é",
            SCRIPT,
            "x" * 10_000,
        ),
    )
    def test_another_content_type_is_415(self, browser: Client, url: str, kind: str) -> None:
        good = BOX if "resize" in url else TAKES["create"][1] % "[1]"
        answer = send(browser, url, good, kind)
        assert len(said(answer)) < 500
        assert answer.status_code == 415
        assert jobs() == 0

    @pytest.mark.parametrize("url", ["/tasks/", "/tasks/resize/", "/tasks/resize/run"])
    @pytest.mark.parametrize(
        "charset", numbered("utf-16", "latin-1", "idna", "nonsense", "", "'", "x" * 5_000)
    )
    def test_json_is_utf_8_whatever_charset_is_said(self, browser: Client, url: str, charset: str) -> None:
        """Codecs that are no text's ("zlib") stop Django itself before any view: it reads the query with them."""
        good = BOX if "resize" in url else TAKES["create"][1] % "[1]"
        kind = f"application/json; charset={charset}"
        assert send(browser, url, good, kind).status_code in (200, 201)
        said(send(browser, url, good.encode("utf-16"), kind))
        assert browser.get("/tasks/?limit=1", CONTENT_TYPE=kind).status_code == 200

    @pytest.mark.parametrize("url", ["/tasks/", "/tasks/resize/", "/tasks/resize/run"])
    def test_an_oversized_body_is_413(self, browser: Client, url: str, settings: Any) -> None:
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"MAX_BODY": 1_000}
        answer = send(browser, url, " " * 1_001)
        said(answer)
        assert answer.status_code == 413

    @pytest.mark.parametrize(
        "length", numbered("-1", "1e5", "0x10", "9" * 400, "9" * 5_000, "²", "٣", "junk", " ", "1, 2")
    )
    @pytest.mark.parametrize("url", ["/tasks/", "/tasks/resize/"])
    def test_a_length_that_is_none_is_refused(self, browser: Client, url: str, length: str) -> None:
        said(send(browser, url, "{" * 10, CONTENT_LENGTH=length))
        assert jobs() == 0

    def test_a_body_in_chunks_says_that_its_length_is_needed(self, browser: Client) -> None:
        answer = send(browser, "/tasks/", b"", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
        said(answer)
        assert answer.status_code == 411

    @pytest.mark.parametrize(
        "kind",
        ["multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded"],
    )
    def test_a_form_that_cancels_is_read_by_nobody(self, user: User, kind: str) -> None:
        """The CSRF check looks for its token in a form; what cannot be read has none."""
        client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        client.force_login(user)
        for body in (b"\xff\xfe", b"--x\r\nContent-Disposition: form-data; name=\x00\r\n", b"a=1&" * 5_000):
            said(send(client, f"/tasks/{UNKNOWN}/cancel/", body, kind))


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        numbered(
            "%2e%2e/",
            "../tasks/x/",
            "..%2f..%2fetc%2fpasswd/",
            "%00/",
            f"{UNKNOWN}%00/",
            f"{UNKNOWN}%20/",
            f"{UNKNOWN}%0a/",
            f"{UNKNOWN}%0d%0aSet-Cookie:%20a=b/",
            "%ff%fe/",
            "%c0%ae%c0%ae/",
            "%ed%a0%80/",
            "%e2%80%ae/",
            "x" * 50_000 + "/",
            "%3Csvg%20onload=alert(1)%3E/",
            "'%20OR%201=1--/",
            "%7B%7B7*7%7D%7D/",
            "$%7Bjndi:ldap:%2F%2Fx%7D/",
            f"{UNKNOWN.replace('-', '')}/",
            f"urn:uuid:{UNKNOWN}/",
            f"{UNKNOWN};v=1/",
            "\uff10b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d/",
        ),
    )
    @pytest.mark.parametrize(
        ("method", "rest"), [("GET", ""), ("GET", "members/"), ("POST", "cancel/"), ("GET", "view/")]
    )
    def test_what_is_no_id_is_not_found(self, browser: Client, path: str, method: str, rest: str) -> None:
        answer = browser.generic(method, f"/tasks/{path}{rest}")
        assert answer.status_code == 404, answer.content
        assert b"<svg" not in answer.content or answer["Content-Type"] == "application/json"
        assert "Set-Cookie" not in answer
        if rest != "view/" and "%2f" not in path.lower() and ".." not in path:
            assert len(said(answer)) < 500

    @pytest.mark.parametrize("path", ["", "tasks/", "tasks//", "tasks/a/b/c/", "tasks/../../", "tasks/%2f/"])
    def test_what_is_no_call_is_djangos_to_answer(self, browser: Client, path: str) -> None:
        assert browser.get(f"/{path}").status_code == (200 if path == "tasks/" else 404)

    @pytest.mark.parametrize(
        "query",
        numbered(
            "limit=1e400",
            f"limit={'9' * 5_000}",
            "limit=NaN",
            "limit=%00",
            "limit=%F0%9D%9F%99",
            "limit=",
            "limit=1%0a",
            "limit=%ff",
            "limit[]=1&limit=x",
            "cursor=x",
            "cursor=%00",
            "cursor=%ff",
            "cursor=" + "x" * 60_000,
            "cursor=é",
            "&".join(f"x{n}=1" for n in range(1_100)),
        ),
    )
    def test_a_query_that_cannot_be_answered(self, browser: Client, query: str) -> None:
        assert len(said(browser.get(f"/tasks/?{query}"))) < 1_500


class TestMethods:
    @pytest.mark.parametrize(("method", "url"), CALLS)
    @pytest.mark.parametrize("other", numbered("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "X" * 500))
    def test_those_that_a_call_lacks_are_405(
        self, browser: Client, method: str, url: str, other: str
    ) -> None:
        answer = browser.generic(other, url)
        assert len(said(answer)) < 400
        assert answer.status_code == 405
        assert method in answer["Allow"].split(", ")

    @pytest.mark.parametrize(("method", "url"), CALLS)
    def test_reading_where_there_is_only_writing_is_405_and_the_other_way_round(
        self, browser: Client, method: str, url: str
    ) -> None:
        other = "GET" if method == "POST" else "POST"
        if (other, url) in CALLS:
            return
        answer = browser.generic(other, url)
        said(answer)
        assert answer.status_code == 405
        assert jobs() == 0

    @pytest.mark.parametrize(("method", "url"), CALLS)
    def test_options_name_the_methods(self, browser: Client, method: str, url: str) -> None:
        answer = browser.options(url)
        assert (answer.status_code, answer.content) == (204, b"")
        assert {method, "OPTIONS"} <= set(answer["Allow"].split(", "))
        assert not [name for name in answer.headers if name.startswith("Access-Control")]

    @pytest.mark.parametrize("path", ["", "openapi.json", "docs", "{uuid}/", "{uuid}/view/"])
    def test_head_is_get_without_its_body(self, browser: Client, user: User, path: str) -> None:
        uuid = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1]).uuid
        url = f"/tasks/{path.format(uuid=uuid)}"
        head, get = browser.head(url), browser.get(url)
        assert (head.status_code, get.status_code) == (200, 200)
        assert head.content == b""
        skipped = {"Content-Length", "Set-Cookie"}
        assert {*head.headers} - skipped == {*get.headers} - skipped
        assert head.headers.get("ETag") == get.headers.get("ETag")

    def test_head_does_not_submit(self, browser: Client) -> None:
        assert browser.head("/tasks/resize/").status_code == 405
        assert jobs() == 0

    @pytest.mark.parametrize(
        "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"]
    )
    def test_no_header_changes_the_method(self, browser: Client, header: str) -> None:
        assert browser.get("/tasks/", headers={header: "POST"}).json() == {"tasks": [], "next": None}
        answer = send(browser, "/tasks/", "{}", headers={header: "GET"})
        assert answer.status_code == 400

    @pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"])
    def test_no_header_changes_the_path(self, browser: Client, header: str) -> None:
        answer = browser.get(f"/tasks/{UNKNOWN}/", headers={header: "/tasks/"})
        assert answer.status_code == 404


class TestHeaders:
    @pytest.mark.parametrize(("method", "url"), [*CALLS, *PAGES])
    @pytest.mark.parametrize(
        "pair",
        numbered(
            ("If-None-Match", '"' * 10_000),
            ("If-None-Match", "W/" * 5_000),
            ("If-Modified-Since", "Fri, 31 Dec 99999 23:59:59 GMT"),
            ("If-Modified-Since", "Mon, 00 Jan 0000 00:00:00 GMT"),
            ("Accept", "application/xml;q=1e400"),
            ("Accept-Language", "x" * 10_000),
            ("Accept-Encoding", "\x7f"),
            ("Range", "bytes=0-1,2-3," * 1_000),
            ("Last-Event-ID", "\x7f" * 1_000),
            ("X-CSRFToken", "é" * 1_000),
            ("X-CSRF-Token", "\x7f"),
            ("Authorization", "Bearer " + "x" * 50_000),
            ("Authorization", "Basic ////"),
            ("Authorization", "Negotiate"),
            ("Cookie", "sessionid=" + "x" * 10_000),
            ("Cookie", "sessionid=;;;=;csrftoken=\x7f"),
            ("X-Serverless-Tasks-Job", "junk"),
            ("X-Serverless-Tasks-Job", "a:b:c" * 1_000),
            ("Idempotency-Key", "x" * 10_000),
            ("Idempotency-Key", "é"),
            ("Expect", "200-maybe"),
            ("Upgrade", "websocket"),
        ),
    )
    def test_a_strange_header_is_no_fault_of_ours(
        self, browser: Client, method: str, url: str, pair: tuple[str, str]
    ) -> None:
        good = BOX if "resize" in url else TAKES["create"][1] % "[1]"
        answer = browser.generic(
            method,
            url,
            good if method == "POST" else "",
            content_type="application/json",
            headers=dict([pair]),
        )
        assert answer.status_code < 500 or (answer.status_code, url[-8:]) == (501, "/events/")
        if method == "POST" and answer.status_code >= 400:
            said(answer)

    def test_a_prefix_from_the_path_cannot_write_headers(self, settings: Any, browser: Client) -> None:
        settings.ROOT_URLCONF = "tests.django.captured_urls"
        answer = send(browser, "/a%0d%0aSet-Cookie:%20x=y%C3%A9/tasks/", TAKES["create"][1] % "[1]")
        assert answer.status_code == 201, answer.content
        assert answer["Location"].startswith("/a%0D%0ASet-Cookie:%20x%3Dy%C3%A9/tasks/")
        assert "x" not in answer.cookies
        assert browser.get(answer["Location"]).status_code == 200
