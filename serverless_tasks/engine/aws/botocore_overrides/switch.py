"""The switch of what is overridden in botocore, all of it together: ``SERVERLESS_TASKS_BOTOCORE_OVERRIDES=off``.

What each is for; ``python -m benchmarks --row 2 --row 3`` measures a batch with and without them:

- `documents`: items are not taken apart on their way out and in. 50 of 855 microseconds of a call.
- `signing`: a day's key is kept, headers and body are looked at once. 51 microseconds of a call.
- `connections`: say when a call has been sent, so that the next job is claimed while the end of the one before is
  recorded (`serverless_tasks.engine.store.overlap`): nearly half of the waits of a batch.

Each looks whether this botocore is as it knows it, and leaves the work to botocore where it is not. Without them calls
are made one after the other, and no job is claimed ahead.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from botocore.loaders import Loader

VARIABLE: Final = "SERVERLESS_TASKS_BOTOCORE_OVERRIDES"


def overrides() -> bool:
    """Return whether botocore is overridden: unless the environment says ``off``."""
    return os.environ.get(VARIABLE, "on").strip().lower() != "off"


def override_loader(loader: Loader) -> None:
    """Override what a loader says of DynamoDB."""
    from serverless_tasks.engine.aws.botocore_overrides.documents import pass_items_through

    pass_items_through(loader)


def override_client(client: Any) -> None:
    """Override how a client signs its calls, and what its connections tell.

    Args:
        client: one of botocore's, of a service whose calls send JSON.
    """
    from serverless_tasks.engine.aws.botocore_overrides.connections import say_when_sent
    from serverless_tasks.engine.aws.botocore_overrides.signing import sign_sooner

    sign_sooner(client)
    say_when_sent(client)
