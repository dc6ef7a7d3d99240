"""The URLs below namespaces of a project's own."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import RequestContext, Template
from django.test import Client
from django.urls import NoReverseMatch, include, path

from django_integration.web.namespaces import path_of
from tests.django.shop.background import SumNumbers


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html")


def pieces(request: HttpRequest) -> HttpResponse:
    tags = '{% load task_widgets %}{% task_button "sum" %}{% task_progress request.GET.job htmx=True %}'
    return HttpResponse(Template(tags).render(RequestContext(request)))


PAGE = path("page/", page)
PIECES = path("pieces/", pieces)


def included(**namespace: str) -> Any:
    """Not before a test: the URLs get their typed calls when they are imported."""
    return path("tasks/", include("django_integration.urls", **namespace))


BELOW = {
    "an app": ("/api/tasks/", lambda: path("api/", include(([included()], "shop")))),
    "an instance of an app": (
        "/api/tasks/",
        lambda: path("api/", include(([included(namespace="jobs")], "shop"), "eu")),
    ),
    "two apps": (
        "/a/b/tasks/",
        lambda: path("a/", include(([path("b/", include(([included()], "inner")))], "outer"))),
    ),
    "an app, by the older system's name": (
        "/api/tasks/",
        lambda: path("api/", include(([path("", include("django_integration.task_api_urls"))], "shop"))),
    ),
    "an instance of our own": ("/tasks/", lambda: included(namespace="jobs")),
}


@pytest.mark.parametrize("where", BELOW)
def test_the_tag_and_the_pages_find_the_calls(browser: Client, settings: Any, where: str) -> None:
    base, urls = BELOW[where]
    settings.ROOT_URLCONF = (urls(), PAGE)
    uuid = SumNumbers.options(on_commit=False).submit(numbers=[1]).uuid
    for url in ("/page/", f"{base}docs", f"{base}{uuid}/view/"):
        answer = browser.get(url)
        assert answer.status_code == 200
        assert f'data-base="{base}"' in answer.content.decode()
    document = browser.get(f"{base}openapi.json").json()
    assert f"{base}{{uuid}}/" in document["paths"]
    sent = {"task": "sum", "inputs": {"numbers": [1]}}
    assert browser.post(base, sent, content_type="application/json").status_code == 201


def test_of_several_places_the_pages_own_namespace_wins(browser: Client, settings: Any) -> None:
    inner = [included(), PAGE, PIECES]
    uuid = SumNumbers.options(on_commit=False).submit(numbers=[1]).uuid
    settings.ROOT_URLCONF = (
        path("us/", include((inner, "shop"), "us")),
        path("eu/", include((inner, "shop"), "eu")),
    )
    for name in ("us", "eu"):
        assert f'data-base="/{name}/tasks/"' in browser.get(f"/{name}/page/").content.decode()
        shown = browser.get(f"/{name}/pieces/?job={uuid}").content.decode()
        fragment = browser.get(f"/{name}/tasks/{uuid}/progress/").content.decode()
        assert f'action="/{name}/tasks/widgets/submit"' in shown
        assert f'hx-get="/{name}/tasks/{uuid}/progress/"' in shown
        assert f'href="/{name}/tasks/{uuid}/view/"' in shown
        assert f'href="/{name}/tasks/{uuid}/view/"' in fragment


def test_a_namespace_of_somebody_elses_is_not_taken_for_ours(settings: Any) -> None:
    others = ([path("theirs/", page, name="tasks")], "others")
    settings.ROOT_URLCONF = (path("", include(others)), path("a/", include(([included()], "shop"))))
    assert path_of("tasks") == "/a/tasks/"


def test_a_project_without_the_urls_is_told_what_to_do(browser: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = (PAGE,)
    with pytest.raises(NoReverseMatch, match=r"include django_integration\.urls in its ROOT_URLCONF"):
        browser.get("/page/")
