"""The account and region in which a run would be, and what is there already."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

import botocore.session

from serverless_tasks.engine.aws.session import call, client, require_region

# The hosts of this machine.
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose stack it will be.

    Attributes:
        id: the account's number.
        caller: the ARN of who calls.
        region: the region.
        endpoint: where AWS's clients are led instead of to AWS, or "".
    """

    id: str
    caller: str
    region: str
    endpoint: str

    @classmethod
    def read(cls) -> Account:
        """Ask AWS who calls, by the environment's credentials and region.

        Raises:
            ConfigurationError: no region is set.
            AwsError: there are no credentials, or they are none that AWS knows.
        """
        require_region()
        sts = client("sts")
        caller = call(sts.get_caller_identity)
        return cls(
            id=caller["Account"],
            caller=caller["Arn"],
            region=sts.meta.region_name,
            endpoint=os.environ.get("AWS_ENDPOINT_URL", ""),
        )


def secrets() -> tuple[str, ...]:
    """Return the access key, its secret and its token, for a report that must not hold them."""
    found = botocore.session.get_session().get_credentials()
    frozen = None if found is None else found.get_frozen_credentials()
    return () if frozen is None else tuple(filter(None, frozen))


def is_of_this_machine(endpoint: str) -> bool:
    """Return whether an endpoint is a stand-in on this machine."""
    return urlsplit(endpoint).hostname in _LOOPBACK
