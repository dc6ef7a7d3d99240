"""Writes outside databases: calls of AWS by botocore, and mails by Django. Neither is imported here."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any

from serverless_tasks.repeatable.write import Write, is_ours, place, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from serverless_tasks.repeatable.write import Recorder

_READS = re.compile(
    "(Get|List|Describe|Head|Query|Scan|BatchGet|TransactGet|Select|Lookup|Search|Check|Verify|Test|Estimate|Receive"
    "|Filter|Preview|Assume|Decrypt|Encrypt|ReEncrypt|GenerateDataKey|GenerateMac|Sign|Validate|Simulate|Detect)"
)
# What leaves the same when it is done twice, with the same values.
_OVERWRITES = re.compile(
    "(Put|Set|Update|Tag|Modify|Change|Copy|Complete|Associate|Attach|Enable|Disable|Register|BatchWrite|TransactWrite)"
)
_ENDS = re.compile("(Delete|BatchDelete|Untag|Remove|Abort|Cancel|Stop|Terminate)")
_ADDS = re.compile("(PutRecord|PutRecords|PutRecordBatch|PutEvents|PutMetricData|PutLogEvents)$")
# Nothing of an upload in parts is there until it is complete.
_PARTS = ("CreateMultipartUpload", "UploadPart", "UploadPartCopy")
_COMPUTES = re.compile(r"\bADD\b|list_append|[+]|=[^,]*\s-\s", re.IGNORECASE)
_TOKENS = {"clienttoken", "clientrequesttoken", "messagededuplicationid", "idempotencytoken"}


@contextmanager
def watched_calls(modules: Mapping[str, Any], recorder: Recorder) -> Iterator[None]:
    """See the calls of AWS that write, of every client, inside the block."""
    if "botocore.client" not in modules:
        yield
        return
    client_class = modules["botocore.client"].BaseClient
    call = client_class._make_api_call

    def calling(client: Any, operation: str, params: dict[str, Any]) -> Any:
        if _READS.match(operation) or operation in _PARTS or is_ours():
            return call(client, operation, params)
        recorder.before()
        # Before botocore puts into the parameters what it makes of them.
        params, told = _read_streams(params)
        write = _call(client.meta.service_model.service_id, operation, told, recorder.thread)
        answer = call(client, operation, params)
        recorder.after(write)
        return answer

    client_class._make_api_call = calling
    try:
        yield
    finally:
        client_class._make_api_call = call


def _read_streams(params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the files and bodies among a call's parameters, which may be the answers of earlier calls.

    Returns:
        The parameters to send: a file stands where it stood, and what can be read only once is sent from memory; and
        the parameters to tell of, with a digest in place of each.
    """
    sent, told = dict(params), dict(params)
    for name, value in params.items():
        if not hasattr(value, "read"):
            continue
        at = value.tell() if _can_go_back(value) else None
        data = value.read()
        data = data.encode() if isinstance(data, str) else data
        told[name] = sha256(data).hexdigest()
        if at is None:
            sent[name] = BytesIO(data)
        else:
            value.seek(at)
    return sent, told


def _can_go_back(stream: Any) -> bool:
    # Every IOBase has seek() and tell(), a StreamingBody among them.
    return stream.seekable() if hasattr(stream, "seekable") else hasattr(stream, "seek")


def _call(service: str, operation: str, params: dict[str, Any], thread: int) -> Write:
    write = Write(kind="aws", what=f"{service} {operation}", place=place(thread), values=values_of(params))
    target = next(
        (params[name] for name in ("Bucket", "TableName", "QueueUrl", "TopicArn") if name in params), None
    )
    if isinstance(target, str):
        write.what += f" {target.rpartition('/')[2]}"
    if operation == "CompleteMultipartUpload":
        write.values = values_of((params.get("Bucket"), params.get("Key")))
    if _ENDS.match(operation):
        write.adds = 0
    computed = _COMPUTES.search(str(params.get("UpdateExpression", ""))) or any(
        each.get("Action") == "ADD" for each in (params.get("AttributeUpdates") or {}).values()
    )
    overwrites = _OVERWRITES.match(operation) and not _ADDS.match(operation) and not computed
    write.same = bool(overwrites) or _has_token(operation, params)
    return write


def _has_token(operation: str, params: dict[str, Any]) -> bool:
    """Return whether AWS takes the call once only, by a token that the caller gave."""
    if operation == "StartExecution":
        return "name" in params
    entries = params.get("Entries")
    each = entries if isinstance(entries, list) and entries else [params]
    return all(isinstance(entry, dict) and _TOKENS & {name.lower() for name in entry} for entry in each)


@contextmanager
def outbox_kept(modules: Mapping[str, Any]) -> Iterator[None]:
    """Let Django's outbox be, after the block, what it was before."""
    outbox = getattr(modules.get("django.core.mail"), "outbox", None)
    before = None if outbox is None else list(outbox)
    try:
        yield
    finally:
        if outbox is not None:
            outbox[:] = before


@contextmanager
def watched_mails(modules: Mapping[str, Any], recorder: Recorder) -> Iterator[None]:
    """See the mails that go through Django's configured backends inside the block."""
    registry = modules.get("django.apps")
    if "django.core.mail" not in modules or registry is None or not registry.apps.ready:
        yield
        return
    with ExitStack() as stack:
        for backend in _backends(modules):
            stack.callback(setattr, backend, "send_messages", backend.send_messages)
            backend.send_messages = _sending(backend.send_messages, recorder)
        yield


def _backends(modules: Mapping[str, Any]) -> set[Any]:
    """Return the classes that send a project's mails: one before Django 6.1, one for each of its mailers since."""
    settings = modules["django.conf"].settings
    mailers = getattr(settings, "MAILERS", None)
    default = "django.core.mail.backends.smtp.EmailBackend"
    paths = (
        [settings.EMAIL_BACKEND]
        if mailers is None
        else [each.get("BACKEND", default) for each in mailers.values()]
    )
    return {modules["django.utils.module_loading"].import_string(path) for path in paths}


def _sending(send: Callable[..., Any], recorder: Recorder) -> Callable[..., int]:
    def sending(connection: Any, messages: Any) -> int:
        sent = 0
        for message in messages:
            recorder.before()
            sent += send(connection, [message]) or 0
            to = ", ".join(message.recipients())
            said = (message.from_email, to, message.subject, message.body)
            recorder.after(Write(kind="mail", what=f"mail to {to}", place=place(), values=values_of(said)))
        return sent

    return sending
