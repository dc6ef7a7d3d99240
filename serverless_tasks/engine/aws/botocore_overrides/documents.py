"""Items go through botocore as they are, in place of being taken apart attribute by attribute.

botocore translates bytes to and from base64 on an item's way out and in. Ours are text then: see `bytes_as_text` and
`from_dynamodb`.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from botocore.loaders import Loader
from botocore.model import StructureShape

# DynamoDB's maps of attributes, and of an expression's names and values.
_PUT = "PutItemInputAttributeMap"
_MAPS = ("AttributeMap", "ExpressionAttributeNameMap", "ExpressionAttributeValueMap", "Key", _PUT)
# What botocore calls a structure that is any JSON: https://smithy.io/2.0/spec/simple-types.html#document
_AS_IT_IS = "is_document_type"


def pass_items_through(loader: Loader) -> None:
    """Let a loader describe DynamoDB's items as documents, where this botocore knows them.

    Args:
        loader: botocore's loader of what describes a service.
    """
    if not hasattr(StructureShape, _AS_IT_IS):
        return
    load = loader.load_service_model

    def load_service_model(
        service_name: str, type_name: str, api_version: str | None = None
    ) -> dict[str, Any]:
        model: dict[str, Any] = load(service_name, type_name, api_version)
        if (service_name, type_name) == ("dynamodb", "service-2"):
            for name in _MAPS:
                if model["shapes"].get(name, {}).get("type") == "map":
                    model["shapes"][name] = {"type": "structure", "members": {}, "document": True}
        return model

    loader.load_service_model = load_service_model


def bytes_as_text(item: dict[str, Any], client: Any) -> dict[str, Any]:
    """Return an item with its bytes in base64, where a client sends items as they are; else the item itself.

    Args:
        item: an item in DynamoDB's notation.
        client: one of DynamoDB's, which may have been made without the override.
    """
    if client.meta.service_model.shape_for(_PUT).type_name == "map":
        return item
    return {
        name: {"B": b64encode(value["B"]).decode()} if "B" in value else value for name, value in item.items()
    }
