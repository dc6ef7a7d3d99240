"""The token keys of a stack, in Secrets Manager.

A rotation puts a new version in the place of ``AWSCURRENT``; the one before stays as ``AWSPREVIOUS``, and the tokens
that it has signed stay good:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html#term_version
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.aws.session import call
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.tokens.keys import Key
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from serverless_tasks.engine.job.clock import Clock

# For so long a key signs before it is read anew, in seconds.
_FRESH: Final = 300
# Tokens of unknown keys cost a read at most this often, in seconds: anybody may send them.
_PAUSE: Final = 30
# A new key signs only when it is so old, in seconds: by then whoever has paused knows it too.
_SETTLED: Final = 2 * _PAUSE
_NONE_YET: Final = "ResourceNotFoundException"


class SecretKeys:
    """The keys in a secret's versions: the current one signs, and that before it is accepted as well.

    Args:
        client: boto3's client of Secrets Manager.
        secret: the secret's ARN or name.
        clock: the time.
    """

    def __init__(self, client: Any, secret: str, clock: Clock) -> None:
        self._client = client
        self._secret = secret
        self._clock = clock
        self._current: Key | None = None
        self._before: Key | None = None
        self._since = self._read_at = self._searched_at = float("-inf")
        self._lock = threading.Lock()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._lock = threading.Lock()

    def signing(self) -> Key:
        """See `Keys.signing`.

        Raises:
            AwsError: no key has been read yet, and none can be.
        """
        with self._lock:
            now = self._clock.now()
            if self._current is None or now - self._read_at >= _FRESH:
                try:
                    current = self._read_current()
                    if self._is_new(now):
                        self._read_before()
                except AwsError:
                    if self._current is None:
                        raise
                    current = self._current
                self._read_at = now
            else:
                current = self._current
            return self._before if self._before is not None and self._is_new(now) else current

    def find(self, id: str) -> Key | None:
        """See `Keys.find`.

        Raises:
            AwsError: the key is not known, and the secret cannot be read.
        """
        with self._lock:
            now = self._clock.now()
            if self._known(id) is None and now - self._searched_at >= _PAUSE:
                if self._read_current().id != id:
                    self._searched_at = now
                    self._read_before()
                self._read_at = now
            return self._known(id)

    def _known(self, id: str) -> Key | None:
        return next((key for key in (self._current, self._before) if key is not None and key.id == id), None)

    def _is_new(self, now: float) -> bool:
        return now - self._since < _SETTLED

    def _read_current(self) -> Key:
        key, since = self._version("AWSCURRENT")
        if self._current is None or key.id != self._current.id:
            self._current, self._before, self._since = key, self._current, since
        return key

    def _read_before(self) -> None:
        try:
            self._before, _ = self._version("AWSPREVIOUS")
        except AwsError as error:
            if error.code != _NONE_YET:  # until the first rotation there is none
                raise

    def _version(self, stage: str) -> tuple[Key, float]:
        """Return the key of a version, and since when there is that, in seconds since the epoch."""
        found = call(self._client.get_secret_value, SecretId=self._secret, VersionStage=stage)
        return Key.of(str(found["SecretString"])), found["CreatedDate"].timestamp()
