"""The implementations that the contracts hold for."""

from tests.support.stores import aws_account, clock, config, store, table

__all__ = ["aws_account", "clock", "config", "store", "table"]
