"""Tasks on Django's class-based views."""

from __future__ import annotations

import functools
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar

from asgiref.sync import sync_to_async

from django_integration.declarative.endpoint_task import run_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.http import HttpRequest


class TaskMixin:
    """Runs a view's tasks right before the method that answers: ``class OrderView(TaskMixin, View)``.

    Whatever stands before that method holds for the tasks as well, wherever its class is among the bases: login and
    permission mixins, decorators of ``dispatch``, Django REST framework's authentication. A method that the view does
    not have runs no task; ``OPTIONS`` never does.

    Attributes:
        task_methods: the HTTP methods whose requests run the tasks, such as ``["post"]``; None means all.
    """

    task_methods: ClassVar[Sequence[str] | None] = None

    http_method_names: Sequence[str]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Put the tasks before the request's method; see `django.views.View.setup`."""
        super().setup(request, *args, **kwargs)  # type: ignore[misc]
        name = (request.method or "").lower()
        if name not in self.http_method_names or name == "options" or not self._wants(name):
            return
        method = getattr(self, name, None)
        if method is not None:
            setattr(self, name, self._after_tasks(method))

    def _wants(self, name: str) -> bool:
        wanted = self.task_methods
        return wanted is None or ("get" if name == "head" else name) in [each.lower() for each in wanted]

    def _after_tasks(self, method: Callable[..., Any]) -> Callable[..., Any]:
        if iscoroutinefunction(method):

            @functools.wraps(method)
            async def answer_async(*args: Any, **kwargs: Any) -> Any:
                await sync_to_async(run_tasks)(self)
                return await method(*args, **kwargs)

            return answer_async

        @functools.wraps(method)
        def answer(*args: Any, **kwargs: Any) -> Any:
            run_tasks(self)
            return method(*args, **kwargs)

        return answer
