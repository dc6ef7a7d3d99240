"""Functions of Django's ``@task`` whose work is not done when they return."""

import asyncio
import functools

from django.contrib.auth.models import User
from django.tasks import task

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
async def asks_the_database():
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
