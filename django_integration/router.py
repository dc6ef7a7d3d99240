"""``POST <name>/`` for each pydantic task, typed by its model: for our own URLs, and for a project's own NinjaAPI."""
# No `from __future__ import annotations`: ninja reads a view's annotations, and these are values.

import functools
import json
import re
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router
from ninja.errors import ValidationError
from ninja.router import RouterMount
from pydantic import BaseModel

from django_integration import body
from django_integration.answers import Refused, error_answer, record_answer
from django_integration.auth import identify
from django_integration.bodies import RecordBody, RefusalBody
from serverless_tasks.declaration import Declaration
from serverless_tasks.errors import InvalidInputs, ServerlessTasksError
from serverless_tasks.options import Options
from serverless_tasks.services import services
from serverless_tasks.submit import submit_json

type Run = Callable[..., HttpResponseBase]

_ROUTABLE = re.compile(r"[\w.~-]+")


class TaskRouter(Router):
    """A router that gets its routes when the URLs are made: by then every app has registered its tasks.

    It serves the registered tasks in pydantic style, except those with ``http = False``.
    """

    def build_routers(self, *args: Any, **kwargs: Any) -> list[RouterMount]:
        """See `Router.build_routers`; a second API gets the routes of the first."""
        if not self._frozen:
            for task in services().registry:
                self._add(task)
        return super().build_routers(*args, **kwargs)

    def task_names(self) -> list[str]:
        """The tasks that have a route."""
        return [path.strip("/") for path in self.path_operations]

    def _add(self, task: type[Declaration]) -> None:
        path = f"/{task.name}/"
        served = task.http and task.params_model is not None and _ROUTABLE.fullmatch(task.name)
        if not served or path in self.path_operations:
            return
        assert task.params_model is not None
        self.add_api_operation(
            path,
            ["POST"],
            _view(task.name, task.params_model),
            operation_id=f"submit_{re.sub(r'[^a-zA-Z0-9]', '_', task.name)}",
            url_name=f"submit:{task.name}",
            summary=f"Submit {task.name}",
            response={201: RecordBody, **dict.fromkeys((401, 403, 413, 415, 503), RefusalBody)},
        )


def _view(name: str, model: type[BaseModel]) -> Run:
    def submit(request: HttpRequest, params: model) -> HttpResponse:  # type: ignore[valid-type]
        """201 means that the task was sent; 422 names each field that was refused."""
        try:
            inputs = json.loads(request.body)  # as it was sent: what the model would drop is refused
            body.check_values(name, inputs)
            options = Options(owner=identify(request).owner, on_commit=False)
            handle = submit_json(services(), name, inputs, options)
        except InvalidInputs as error:
            raise ValidationError(
                [
                    {"type": field.type, "loc": ["body", "params", *field.loc], "msg": field.message}
                    for field in error.fields
                ]
            ) from None
        return record_answer(request, handle.record, 201)

    return submit


def _guarded(run: Run) -> Run:
    """Ask who calls before the inputs are looked at, and answer in our own words on any API."""

    @functools.wraps(run)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            body.require_json(request)
            body.read(request)
            identify(request)
            return run(request, *args, **kwargs)
        except (Refused, ServerlessTasksError) as error:
            answer = error_answer(error)
            if answer is None:
                raise
            return answer

    return guarded


router = TaskRouter(tags=["Tasks"])
router.add_decorator(_guarded, mode="view")
