"""Tasks of Django's framework that use what this backend adds to it. Tests import them, long after Django is ready."""

import asyncio
import functools
import threading
import time

from django.contrib.auth.models import User
from django.db import connection
from django.tasks import task
from django.urls import get_urlconf, set_urlconf
from django.utils import timezone, translation

from serverless_tasks import TaskError


class NotToday(Exception):
    """What a worker that lacks this module could not import."""


@task(retries=2, backoff=1)
def fails_twice(log):
    raise NotToday(log)


@task(retries=1, backoff=1, takes_context=True)
def works_at_last(context):
    if context.attempt == 1:
        raise NotToday("the first time")
    return [context.attempt, len(context.task_result.errors), context.task_result.status]


@task(retries=3, never_retry=(TaskError,))
def gives_up():
    raise TaskError("There is no more paper.")


@task(retries=1, takes_context=True)
def asks_for_another_time(context):
    if context.attempt == 1:
        context.retry(after=30, reason="the door is closed")
    return "open"


@task(takes_context=True)
def reports(context, pages):
    context.set_target(pages)
    context.set_progress(1)
    context.inc_progress(pages - 1)
    context.add_message("printed")
    context.check_cancelled()
    return pages


@task
def fails_beyond_print():
    error = SyntaxError("half a template")
    error.lineno, error.offset, error.text = "three", [], 5
    raise error


@task(unique=True)
def only_one(number):
    return number


@task
def add(a, b=0):
    return a + b


@task(retries=1, backoff=1, takes_context=True)
def gives_when_asked_again(context, given):
    if context.attempt == 1:
        raise NotToday("the first time")
    return given


@task(takes_context=True)
def sums_up(context, numbers):
    members = context.group.members
    return [numbers, [each and each["return_value"] for each in context.group.results()], members.failed]


@task(timeout=0.2)
async def sleeps_too_long(log):
    try:
        await asyncio.sleep(30)
    finally:
        log.append("cleaned up")


@task(timeout=0.2)
def counts_too_long():
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(0.01)


@task
async def asks_the_database():
    name = await User.objects.values_list("username", flat=True).aget()
    return [name, threading.current_thread() is threading.main_thread()]


@task
async def times_out_by_itself():
    async with asyncio.timeout(0.01):
        await asyncio.sleep(30)


@task
def which_connection():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return id(connection.connection)


@task
def has_a_connection():
    return connection.connection is not None


@task(retries=2)
def returns_what_is_no_json():
    return object()


@task
def gives_back(given, more=None):
    return [given, more]


@task
def gives_it_back(given):
    return given


@task
def raises_what_nobody_can_import():
    class Local(Exception):
        pass

    raise Local("from within")


# -- functions whose work is not done when they return: what they have done, and they ----------------------------

done = []


async def _work():
    for each in (1, 2):
        await asyncio.sleep(0)
        done.append(each)
    return [1, 2]


def _generate():
    for each in (1, 2):
        done.append(each)
        yield each


def _decorated(function):
    @functools.wraps(function)
    def wrapper():
        return function()

    return wrapper


@task
def generates():
    yield from _generate()


@task
async def generates_asynchronously():
    for each in await _work():
        yield each


@task
def gives_a_coroutine():
    return _work()


@task
async def gives_a_generator_later():
    return _generate()


@task
@_decorated
async def is_decorated():
    return await _work()


@task
async def counts_as_it_generates():
    await User.objects.acreate(username="ada")
    for each in await _work():
        yield each * await User.objects.acount()


@task(timeout=0.2)
async def generates_for_ever():
    while True:
        await asyncio.sleep(0.01)
        yield 1


@task(timeout=0.2)
def generates_for_ever_later():
    return generates_for_ever.func()


@task
def forgets_to_gather():
    return [_work()]


def state():
    return [translation.get_language(), timezone.get_current_timezone_name(), get_urlconf()]


def sees_and_activates():
    seen = state()
    translation.activate("de")
    timezone.activate("Europe/Berlin")
    set_urlconf("tests.django.own_urls")
    return seen


@task
def sees():
    return sees_and_activates()


@task
async def sees_in_coroutine():
    return sees_and_activates()
