"""moto without the work that it does anew at each call: the tests make a few expressions' calls many thousand times.

Nothing that it answers changes: an expression is parsed once, what is parsed is copied by pickle, as before it is
evaluated, the methods of a service are listed once, and items go out as they are (`moto_answers`).
"""

import functools
import pickle
from typing import Any

from moto.core import responses
from moto.dynamodb.parsing import validators
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser
from moto.dynamodb.parsing.expressions import UpdateExpressionParser

from serverless_tasks.local.aws import moto_answers


def _copied(tree: Any) -> Any:
    return pickle.loads(pickle.dumps(tree, pickle.HIGHEST_PROTOCOL))  # our own tree, written a moment ago


def _nodes(self: Any) -> tuple[type, ...]:
    found: tuple[type, ...] | None = self.__dict__.get("_nodes")
    if found is None:
        found = self._nodes = tuple(self._processing_map())
    return found


def install() -> None:
    """Let moto remember what it has parsed, for the length of the process."""
    moto_answers.install()
    remembered: Any = functools.lru_cache(maxsize=1000)(UpdateExpressionParser.make)
    UpdateExpressionParser.make = remembered  # type: ignore[method-assign]
    responses.method_names_from_class = functools.cache(responses.method_names_from_class)  # type: ignore[attr-defined]
    validators.deepcopy = _copied  # type: ignore[attr-defined]
    DepthFirstTraverser.nodes_to_be_processed = _nodes  # type: ignore[method-assign]
