"""Lambda's context, as far as handlers look at it."""

from typing import Any


class Context:
    """A context with its time not yet used."""

    function_name = "worker"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:worker"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """The invocation's time left, in milliseconds."""
        return 900_000


CONTEXT: Any = Context()
