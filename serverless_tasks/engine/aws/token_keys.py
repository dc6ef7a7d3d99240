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
_NONE_YET: Final = "ResourceNotFoundException"


class SecretKeys:
    """The keys in a secret's versions: the current one signs, that before it is accepted as well.

    Args:
        client: boto3's client of Secrets Manager.
        secret: the secret's ARN or name.
        clock: the time.
    """

    def __init__(self, client: Any, secret: str, clock: Clock) -> None:
        self._client = client
        self._secret = secret
        self._clock = clock
        self._keys: list[Key] = []
        self._read_at = self._searched_at = float("-inf")
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
            if not self._keys or now - self._read_at >= _FRESH:
                try:
                    self._keep([self._version("AWSCURRENT"), *self._keys])
                except AwsError:
                    if not self._keys:
                        raise
                self._read_at = now
            return self._keys[0]

    def find(self, id: str) -> Key | None:
        """See `Keys.find`.

        Raises:
            AwsError: the key is not known, and the secret cannot be read.
        """
        with self._lock:
            if (key := self._known(id)) is None and self._clock.now() - self._searched_at >= _PAUSE:
                self._search()
                key = self._known(id)
            return key

    def _known(self, id: str) -> Key | None:
        return next((key for key in self._keys if key.id == id), None)

    def _search(self) -> None:
        """Read both versions; the one before is there once the key was rotated."""
        now = self._clock.now()
        keys = [self._version("AWSCURRENT")]
        try:
            keys.append(self._version("AWSPREVIOUS"))
        except AwsError as error:
            if error.code != _NONE_YET:
                raise
        self._keep(keys)
        self._read_at = self._searched_at = now

    def _keep(self, keys: list[Key]) -> None:
        self._keys = list({key.id: key for key in keys}.values())[:2]

    def _version(self, stage: str) -> Key:
        found = call(self._client.get_secret_value, SecretId=self._secret, VersionStage=stage)
        return Key.of(str(found["SecretString"]))
