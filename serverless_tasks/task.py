"""`Task`, the class that users derive theirs from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import TypeVar as DefaultingTypeVar

from serverless_tasks.engine.definition.base import BaseTask
from serverless_tasks.engine.job.execution import Execution
from serverless_tasks.engine.job.retry import LONGEST_WAIT
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission
from serverless_tasks.errors import TaskDefinitionError, TaskRetry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serverless_tasks.engine.job.execution import EarlierGroup
    from serverless_tasks.engine.submit.handle import Handle
    from serverless_tasks.engine.submit.workflow import Signature

Params = DefaultingTypeVar("Params", bound=BaseModel, default=BaseModel)


class Task(BaseTask, Generic[Params]):
    """A background task, in one of two styles.

    Dictionary style names its ``inputs`` and ``outputs`` as parameter objects and takes them in ``run``; pydantic
    style is ``Task[Params]``, finds its inputs in ``self.params`` and says its output type in ``run``'s return
    annotation. See `BaseTask` for the class attributes that both take.

    Args:
        params: pydantic style: the inputs.
    """

    params: Params

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Those of its own alone: what a base was given, it has as an attribute, which a class may replace.
        model = _given_model(cls.__dict__.get("__orig_bases__", ()))
        if isinstance(model, type) and issubclass(model, BaseModel):
            cls.params_model = model
        elif model not in (None, Any) and not isinstance(model, TypeVar):
            raise TaskDefinitionError(
                f"{cls.__qualname__} derives from Task[{model!r}]; expected a pydantic model that is defined before it."
            )
        super().__init_subclass__(**kwargs)

    def __init__(self, params: Params | None = None) -> None:
        if params is not None:
            if self.params_model is None or not isinstance(params, self.params_model):
                wanted = (
                    self.params_model.__name__
                    if self.params_model
                    else "no params, since it is in dictionary style"
                )
                raise TaskDefinitionError(
                    f"{type(self).__qualname__} takes {wanted}; it was given {params!r}."
                )
            self.params = params
        self.execution = Execution()

    @property
    def fully_qualified_name(self) -> str:
        """The dotted path of the class, which is the task's name unless the class gives itself another."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    # -- submitting ----------------------------------------------------------------------------------------------

    @classmethod
    def submit(cls, /, **inputs: Any) -> Handle:
        """Publish a job of this task.

        Args:
            inputs: the inputs by name.

        Raises:
            InvalidInputs: they do not fit; nothing was published.
            SubmitFailed: it was certainly not sent.
            SubmitUncertain: it may have been sent; submitting again with ``options(uuid=...)`` is safe.
        """
        return Submission(cls, Options()).submit(**inputs)

    @classmethod
    async def asubmit(cls, /, **inputs: Any) -> Handle:
        """As `submit`, in a coroutine: ``handle = await SumNumbers.asubmit(numbers=[1])``."""
        return await Submission(cls, Options()).asubmit(**inputs)

    @classmethod
    def submit_many(cls, inputs: Iterable[Any]) -> list[Handle]:
        """Publish one job for each dictionary of inputs; see `Submission.submit_many`."""
        return Submission(cls, Options()).submit_many(inputs)

    @classmethod
    async def asubmit_many(cls, inputs: Iterable[Any]) -> list[Handle]:
        """As `submit_many`, in a coroutine."""
        return await Submission(cls, Options()).asubmit_many(inputs)

    @classmethod
    def submit_token(
        cls, inputs: Any = None, /, *, minutes: float = 15, allow: Iterable[str] = ("read",)
    ) -> str:
        """Return a token with which a browser submits one job of these inputs, without a login; see docs/tokens.md.

        With options: ``Resize.options(owner="7", queue="low").submit_token({...})``.

        Args:
            inputs: the inputs, as one dictionary or one instance of the task's model.
            minutes: how long it holds, at most 1,440 (a day).
            allow: what it allows of the job once that is submitted: ``"read"``, ``"cancel"``.

        Raises:
            InvalidInputs: the inputs do not fit.
            ValueError: the minutes are too many, or ``allow`` names something else.
            ConfigurationError: no key is configured.
        """
        return Submission(cls, Options()).submit_token(inputs, minutes=minutes, allow=allow)

    @classmethod
    def options(cls, **options: Any) -> Submission:
        """Say how to submit, apart from what: ``SumNumbers.options(delay=60).submit(numbers=[1])``.

        Args:
            options: the attributes of `Options`.

        Raises:
            UnknownOption: a name is not an option, or a value does not fit it.
        """
        return Submission(cls, Options.parse(options))

    @classmethod
    def signature(cls, /, **inputs: Any) -> Signature:
        """Return the task with inputs, for a group or a chain; nothing is sent.

        Args:
            inputs: the inputs by name; outputs of earlier jobs are ``previous["..."]`` and ``results["..."]``.
        """
        return Submission(cls, Options()).signature(**inputs)

    def start(self, inputs: dict[str, Any] | None = None) -> Handle:
        """Publish a job: of these inputs (dictionary style), or of the params given to the class (pydantic style).

        Raises:
            TypeError: pydantic style without params.
        """
        if self.params_model is not None:
            if inputs is not None or not hasattr(self, "params"):
                name = type(self).__name__
                raise TypeError(
                    f"Write {name}({self.params_model.__name__}(...)).start(): the inputs are the params."
                )
            return Submission(type(self), Options()).start(self.params)
        return Submission(type(self), Options()).start(inputs or {})

    # -- inside run ----------------------------------------------------------------------------------------------

    @property
    def attempt(self) -> int:
        """The number of this attempt of the job, from 1; those whose worker was lost are counted too."""
        return self.execution.attempt

    @property
    def group(self) -> EarlierGroup | None:
        """The group whose members have ended before this job: ``self.group.results()``; None where nothing came first.

        After a single job it is a group without members.
        """
        return self.execution.group

    def retry(self, after: float | None = None, reason: str = "") -> NoReturn:
        """End this attempt and run the job again: ``raise``-like, nothing after it is done.

        It counts as one of the task's ``retries``; when those are used up, the job fails with `RetriesExhausted`.

        Args:
            after: seconds until then, at most 1,209,600 (two weeks); the task's own backoff unless given.
            reason: why, for operators.

        Raises:
            TaskRetry: always; let it pass.
            ValueError: ``after`` is not such a number.
        """
        if after is not None and not 0 <= after <= LONGEST_WAIT:
            raise ValueError(
                f"retry(after={after!r}): expected seconds, from 0 to {LONGEST_WAIT} (two weeks)."
            )
        raise TaskRetry(reason, after)

    def set_target(self, target: float) -> None:
        """Say where the progress ends."""
        self.execution.progress.set_target(target)

    def set_progress(self, progress: float) -> None:
        """Say how far the task is; raises `TaskCancelled` once the job was cancelled."""
        self.execution.progress.set_progress(progress)

    def inc_progress(self, increment: float = 1) -> None:
        """Count the progress up; raises `TaskCancelled` once the job was cancelled."""
        self.execution.progress.inc_progress(increment)

    def add_message(self, message: str) -> None:
        """Tell the person who waits something; of a very long message the first 10,000 characters are kept."""
        self.execution.progress.add_message(message)

    def check_cancelled(self) -> None:
        """Raise `TaskCancelled` when the job was cancelled; asks the store once a second at most."""
        self.execution.progress.check_cancelled()


def _given_model(bases: Iterable[Any]) -> Any:
    """Return the argument of the base ``Task[...]``, through generic bases; a type variable until one is given."""
    for base in bases:
        origin = get_origin(base)
        if origin is Task:
            return get_args(base)[0]
        if isinstance(origin, type) and issubclass(origin, Task):
            given = _given_model(origin.__dict__.get("__orig_bases__", ()))
            arguments = dict(zip(getattr(origin, "__parameters__", ()), get_args(base), strict=False))
            return arguments.get(given, given) if isinstance(given, TypeVar) else None
    return None
