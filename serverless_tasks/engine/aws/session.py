"""AWS clients, made once a process, and the one place that turns botocore's errors into ours."""

from __future__ import annotations

import functools
import os
import sys
import threading
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import botocore
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSOError,
)
from botocore.loaders import Loader

from serverless_tasks.engine.aws.botocore_overrides.switch import override_client, override_loader, overrides
from serverless_tasks.engine.aws.own_client import OwnClient
from serverless_tasks.engine.job.forks import call_when_forked
from serverless_tasks.errors import AwsError, ConfigurationError, ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONNECT_TIMEOUT = 3
# Before these a request has not left this machine, so it cannot have had an effect.
_NOT_SENT = (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
)
# What to do about an error of settings and credentials; the first that fits.
_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (ProfileNotFound, "Unset AWS_PROFILE or name an existing profile."),
    (PartialCredentialsError, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY together."),
    (InvalidRegionError, "Set AWS_REGION to a region such as us-east-1."),
    (SSOError, "Log in with `aws sso login`."),
    (
        Exception,
        "Check the variables AWS_*, ~/.aws/config and ~/.aws/credentials; `aws sts get-caller-identity` tests them.",
    ),
)

# The AWS services that this package calls.
_SERVICES = (
    *("cloudformation", "cloudwatch", "dynamodb", "ec2", "iam", "lambda", "logs"),
    *("s3", "scheduler", "secretsmanager", "sns", "sqs", "ssm"),
)
# Those that botocore itself calls for credentials: of a role, a container's web identity, or a login.
_CREDENTIALS = ("signin", "sso", "sso-oidc", "sts")
# Those that are called for every job.
_FREQUENT = ("dynamodb", "sqs")
# A session makes clients safely on one thread at a time only:
# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html
_making = threading.RLock()
_NO_REGION = (
    "AWS_REGION is not set; set it to your stack's region, such as us-east-1, or set AWS_DEFAULT_REGION or a region in"
    " your AWS profile."
)


class ConditionFailed(Exception):
    """DynamoDB refused a conditional write.

    Args:
        item: the item as it is, in DynamoDB's own notation; empty when there is none.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__("the condition did not hold")
        self.item = item


class TransactionCancelled(Exception):
    """DynamoDB carried out nothing of a transaction.

    Args:
        reasons: for each of its actions, in order, why: ``Code`` (``None`` where it was not the cause), ``Message``,
            and the ``Item`` that stood in the way, in DynamoDB's own notation.
    """

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        super().__init__("the transaction was cancelled")
        self.reasons = reasons


class _Call(threading.local):
    """The call that this thread makes.

    Attributes:
        sent: whether its request was handed to the network; None where the client does not say.
    """

    sent: bool | None = None


_call = _Call()


def client(service: str, *, attempts: int = 4, read_timeout: float = 10) -> Any:
    """A client as boto3 gives it, shared by all callers of a process that ask with the same words.

    It may be kept across a fork: there it is one of the new process's own.

    Args:
        service: such as ``"sqs"``; ``AWS_ENDPOINT_URL`` and AWS's other variables hold.
        attempts: how often a call is tried in all, by boto3 itself.
        read_timeout: seconds to wait for an answer.

    Raises:
        ConfigurationError: no region is set.
        AwsError: another setting, or the credentials, cannot be used.
    """
    with _making:
        return _client(service, attempts, read_timeout)


@functools.cache
def _client(service: str, attempts: int, read_timeout: float) -> OwnClient:
    return OwnClient(functools.partial(_make, service, attempts, read_timeout))


def _make(service: str, attempts: int, read_timeout: float) -> Any:
    config = Config(
        # botocore would put a longer one together for every call, and look at every parameter of ours: a fifth of the
        # processor time of a call together.
        user_agent=f"Botocore/{botocore.__version__} serverless-tasks",
        parameter_validation=False,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=32,
    )
    with _making, _as_ours(f"{service}.create_client"):
        made = _maker()(service, region_name=_region(), config=config)
    made.meta.events.register_first("provide-client-params", _preparing)
    made.meta.events.register_first("before-send", _sending)
    if service in _FREQUENT and overrides():
        override_client(made)
    return made


def reset() -> None:
    """Forget all clients, so that the next ones see the environment as it is now (tests, local stand-ins)."""
    meter(None)
    _client.cache_clear()
    _session.cache_clear()
    if (boto3 := sys.modules.get("boto3")) is not None:
        vars(boto3)["DEFAULT_SESSION"] = None


@call_when_forked
def _forked() -> None:
    """Let the process find its credentials for itself; a session that a script has set up goes on with its own."""
    global _making  # noqa: PLW0603 - another thread of the parent's may have had it
    _making = threading.RLock()
    _session.cache_clear()
    credentials: Any = getattr(getattr(_default_session(), "_session", None), "_credentials", None)
    if hasattr(credentials, "_refresh_lock"):  # held for as long as they are asked for
        credentials._refresh_lock = threading.Lock()


class _OurServices(Loader):  # type: ignore[misc]
    """botocore's own loader of what describes a service; it does not go through the folders of all 400 services."""

    def list_available_services(self, type_name: str) -> list[str]:
        return [*_SERVICES, *_CREDENTIALS]


@functools.cache
def _loader(overridden: bool) -> Loader:
    """Return a loader that is kept: what it has read is the same after a fork, and in another environment."""
    loader = _OurServices()
    if overridden:
        override_loader(loader)
    return loader


@functools.cache
def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", _loader(overrides()))
    return session


def _maker() -> Callable[..., Any]:
    """Return the function that makes clients: botocore's, by which boto3's own are made.

    Importing boto3 would take a twentieth of a cold start, for resources and transfers that nothing here uses. Where a
    script has set up boto3's default session, with a profile perhaps, that one is used.
    """
    default = _default_session()
    maker: Callable[..., Any] = _session().create_client if default is None else default.client
    return maker


def _default_session() -> Any:
    return getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)


@contextmanager
def _as_ours(operation: str) -> Iterator[None]:
    """Raise what goes wrong before a request is sent as an error of ours: botocore reads files, runs programs and asks
    servers for its settings and credentials, and any exception may come of it.
    """
    try:
        yield
    except NoRegionError:
        raise ConfigurationError(_NO_REGION) from None
    except ServerlessTasksError:
        raise
    except Exception as error:
        raise _unsent(operation, error) from error


def _unsent(operation: str, error: Exception) -> AwsError:
    advice = next(advice for kind, advice in _ADVICE if isinstance(error, kind))
    reason = f"{str(error).strip().rstrip('.')}. {advice}"
    return AwsError(operation, type(error).__name__, reason, applied=False)


def _preparing(**_: Any) -> None:
    _call.sent = False


def _sending(**_: Any) -> None:
    _call.sent = True


# Makes the calls of a process that counts them; see `engine.aws.metering`.
_metered: Callable[[Callable[..., Any], dict[str, Any]], dict[str, Any]] | None = None


def meter(metered: Callable[[Callable[..., Any], dict[str, Any]], dict[str, Any]] | None) -> None:
    """Have all calls of this process made by a function, which is given the client's method and the parameters."""
    global _metered  # noqa: PLW0603 - one process counts its calls in one place
    _metered = metered


def call(method: Callable[..., Any], /, **parameters: Any) -> dict[str, Any]:
    """Call a client's method.

    Raises:
        ConditionFailed: a conditional write whose condition did not hold.
        TransactionCancelled: a transaction of which nothing was carried out.
        AwsError: anything else that went wrong; ``applied`` says whether it may have taken effect.
    """
    outer, _call.sent = _call.sent, None  # a call may be made while another one's answer is on its way
    try:
        if _metered is not None:
            return _metered(method, parameters)
        response: dict[str, Any] = method(**parameters)
    except ServerlessTasksError:  # a task's time is over
        raise
    except Exception as error:
        raise _as_raised(_name(method), error) from error
    finally:
        _call.sent = outer
    return response


def _as_raised(name: str, error: Exception) -> Exception:
    if _call.sent is False:
        return _unsent(name, error)
    if isinstance(error, ClientError):
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return ConditionFailed(error.response.get("Item", {}))
        if error.response["Error"]["Code"] == "TransactionCanceledException":
            return TransactionCancelled(error.response.get("CancellationReasons", []))
        return _refused(name, error)
    applied = not isinstance(error, _NOT_SENT) and not _while_connecting(error)
    return AwsError(name, type(error).__name__, str(error), applied=applied)


def _while_connecting(error: Exception) -> bool:
    """Return whether a proxy or the other side refused the connection on which the request was to be sent.

    botocore has the same errors for that and for a connection that breaks later; those of urllib3 that it wraps tell
    where they were raised.
    """
    cause = getattr(error, "kwargs", {}).get("error")
    causes = [each for each in (cause, *getattr(cause, "args", ())) if isinstance(each, BaseException)]
    frames = (frame for each in causes for frame, _ in traceback.walk_tb(each.__traceback__))
    return any(frame.f_code.co_name == "connect" for frame in frames)


def _refused(name: str, error: ClientError) -> AwsError:
    refusal = error.response["Error"]
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
    return AwsError(name, refusal.get("Code", "Unknown"), refusal.get("Message", ""), applied=status >= 500)


def _name(method: Callable[..., Any]) -> str:
    owner = getattr(method, "__self__", None)
    service = owner.meta.service_model.service_name if owner is not None else "aws"
    return f"{service}.{getattr(method, '__name__', 'call')}"


def require_region() -> None:
    """See that a region is set, without making a client.

    Raises:
        ConfigurationError: none is, or the AWS profile that may name it cannot be read.
    """
    if _region():
        return
    default = _default_session()
    try:
        with _making, _as_ours("The region cannot be found: botocore"):
            found = default.region_name if default else _session().get_config_variable("region")
    except AwsError as error:
        raise ConfigurationError(str(error)) from None
    if not found:
        raise ConfigurationError(_NO_REGION)


def _region() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
