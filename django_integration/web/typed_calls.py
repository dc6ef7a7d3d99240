"""``POST <name>/`` and ``POST <name>/run`` for each pydantic task, typed by its model: for our own URLs, and for a
project's own NinjaAPI.
"""
# No `from __future__ import annotations`: ninja reads a view's annotations, and these are values.

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router
from ninja.decorators import decorate_view
from ninja.errors import ValidationError
from ninja.openapi.schema import REF_TEMPLATE
from ninja.params.models import Body, BodyModel
from ninja.router import RouterMount

from django_integration.web import idempotency, submitting
from django_integration.web.auth.caller import Caller
from django_integration.web.auth.typed_calls import caller_of, runner_of
from django_integration.web.http import request_body as body
from django_integration.web.http.responses import HTTPError, error_response, record_response
from django_integration.web.http.schemas import RecordBody, RefusalBody, UnfitBody
from django_integration.web.run_in_request import run_here
from serverless_tasks.engine.definition.base import BaseTask
from serverless_tasks.engine.definition.json_schema import moved
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError, InvalidInputs, ServerlessTasksError

type View = Callable[..., HttpResponseBase]
type Decorator = Callable[[View], View]

# The name of the URL that takes every path where the tasks contradict one another.
REFUSE_ALL = "refuse-all"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_ROUTABLE = re.compile(r"[\w.~-]+")
_OFF = "off unless authentication is configured"
# Where a request keeps who calls and with what; no header can have such a name.
_CALLER = "serverless_tasks.caller"
_INPUTS = "serverless_tasks.inputs"


class TaskBody(BodyModel):
    """A body that OpenAPI describes as a task's inputs, and that is left to what validates every task's inputs.

    Ninja would validate what it has decoded, which a strict model refuses: to pydantic a text is a UUID or a time in
    JSON alone. And one model of which ninja can make no JSON would take the whole document.
    """

    task: ClassVar[type[BaseTask]]

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """See `BaseModel.model_json_schema`; ninja puts the definitions among its components."""
        try:
            schema = current_services().registry.definition(cls.task.name).input_schema()
        except ConfigurationError:  # `manage.py check` says it
            schema = {}
        model = cls.task.params_model
        definitions = schema.pop("$defs", {})
        own = re.sub(r"[^a-zA-Z0-9._-]", "_", model.__name__ if model else cls.task.__name__)
        names = {f"#/$defs/{name}": REF_TEMPLATE.format(model=name) for name in definitions}
        parts = {own: schema} | definitions
        return {
            "properties": {"params": {"$ref": REF_TEMPLATE.format(model=own)}},
            "required": ["params"],
            "$defs": {name: moved(part, names) for name, part in parts.items()},
        }


def _body(task: type[BaseTask]) -> Any:
    """Return ninja's declaration of a parameter that is the body of a typed call."""

    model: Any = type(TaskBody.__name__, (TaskBody,), {"__module__": __name__, "task": task})

    class Inputs(Body):  # type: ignore[misc]
        _model = model

        @classmethod
        def _param_source(cls) -> str:
            return "body"

    return Annotated[Any, Inputs(...)]


class TaskRouter(Router):
    """A router that gets its routes when the URLs are made: by then every app has registered its tasks.

    It serves the registered tasks in pydantic style, except those with ``http = False``.
    """

    def build_routers(self, *args: Any, **kwargs: Any) -> list[RouterMount]:
        """See `Router.build_routers`; a second API gets the routes of the first."""
        if not self._frozen:
            try:
                tasks = list(current_services().registry)
            except ConfigurationError as error:
                self._refuse_all(error)  # `manage.py check` imports the URLs, and has to come to say it
            else:
                for task in tasks:
                    self._add(task)
        return super().build_routers(*args, **kwargs)

    def task_names(self) -> list[str]:
        """The tasks that have a route."""
        return [path.strip("/") for path in self.path_operations if path.endswith("/")]

    def _operation_suffix(self, name: str) -> str:
        """What the ids of a task's calls end with: two names may be one where only letters and digits count."""
        taken = {
            operation.operation_id for view in self.path_operations.values() for operation in view.operations
        }
        wanted = safe = re.sub(r"[^a-zA-Z0-9]", "_", name)
        number = 1
        while f"submit_{safe}" in taken:
            number += 1
            safe = f"{wanted}_{number}"
        return safe

    def _refuse_all(self, error: ConfigurationError) -> None:
        """Answer every call with the error, for which task a name stands for is not known."""

        def refuse(request: HttpRequest, rest: str) -> HttpResponse | None:
            return error_response(error)

        self.add_api_operation("/{path:rest}", _METHODS, refuse, url_name=REFUSE_ALL, include_in_schema=False)

    def _add(self, task: type[BaseTask]) -> None:
        path = f"/{task.name}/"
        if (
            not task.http
            or task.params_model is None
            or not is_routable(task.name)
            or path in self.path_operations
        ):
            return
        safe = self._operation_suffix(task.name)
        refusals = {**dict.fromkeys((400, 401, 403, 413, 415, 429, 503), RefusalBody), 422: UnfitBody}
        self.add_api_operation(
            path,
            ["POST"],
            decorate_view(_deduplication(task, caller_of))(_submit(task)),
            operation_id=f"submit_{safe}",
            url_name=f"submit-{task.name}",
            summary=f"Submit {task.name}",
            description=_about(
                task,
                "201: the job was sent; 200: an earlier job is returned; 422: the inputs are invalid, with every"
                " rejected field.",
            ),
            response={200: RecordBody, 201: RecordBody, 400: RefusalBody, 409: RefusalBody, **refusals},
        )
        self.add_api_operation(
            f"{path}run",
            ["POST"],
            decorate_view(_deduplication(task, runner_of))(_run(task)),
            operation_id=f"run_{safe}",
            url_name=run_url_name(task.name),
            summary=f"Run {task.name} within the request",
            description=_about(
                task, f"200 and the record once the job has ended, whatever its outcome; {_OFF}."
            ),
            response={200: RecordBody, **refusals},
        )


def is_routable(name: str) -> bool:
    """Return whether a task's name can be part of a path; else it has no typed call, as with ``http = False``."""
    return _ROUTABLE.fullmatch(name) is not None


def run_url_name(task: str) -> str:
    """The name that the URL of ``POST <task>/run`` has in the namespace of its API."""
    return f"run-{task}"


def _about(task: type[BaseTask], answers: str) -> str:
    return "\n\n".join(filter(None, [inspect.cleandoc(str(task.__doc__ or "")), answers]))


def _submit(task: type[BaseTask]) -> View:
    name = task.name

    def submit(
        request: HttpRequest,
        params: _body(task),  # type: ignore[valid-type]
        idempotency_key: idempotency.Key = None,
    ) -> HttpResponse:
        with _unprocessable():
            handle = submitting.submit(request, _caller(request), name, _inputs(request, name))
        return record_response(request, handle.record, 200 if handle.repeated else 201)

    return submit


def _run(task: type[BaseTask]) -> View:
    def run(request: HttpRequest, params: _body(task)) -> HttpResponse:  # type: ignore[valid-type]
        with _unprocessable():
            return run_here(request, _caller(request), task.name, _inputs(request, task.name))

    return run


def _inputs(request: HttpRequest, name: str) -> Any:
    """The inputs as they were sent, so that what the model would drop is refused."""
    inputs = request.META[_INPUTS]
    body.check_values(name, inputs)
    return inputs


@contextmanager
def _unprocessable() -> Iterator[None]:
    try:
        yield
    except InvalidInputs as error:
        raise ValidationError(
            [
                {"type": field.type, "loc": ["body", "params", *field.loc], "msg": field.message}
                for field in error.fields
            ]
        ) from None


def _deduplication(task: type[BaseTask], find: Callable[[HttpRequest, type[BaseTask]], Caller]) -> Decorator:
    """Ask who calls before the inputs are looked at, and answer in our own words on any API."""

    def guard(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                body.require_json(request)
                data = body.read(request)
                request.META[_CALLER] = find(request, task)
                request.META[_INPUTS] = body.parse(data)
                return view(request, *args, **kwargs)
            except (HTTPError, ServerlessTasksError) as error:
                answer = error_response(error)
                if answer is None:
                    raise
                return answer

        return guarded

    return guard


def _caller(request: HttpRequest) -> Caller:
    caller: Caller = request.META[_CALLER]
    return caller


router = TaskRouter(tags=["Tasks"])
