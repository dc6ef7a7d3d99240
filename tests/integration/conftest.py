"""moto in process, and the stores over it."""

from tests.support.stores import aws_account, clock, config, store, table

__all__ = ["aws_account", "clock", "config", "store", "table"]
