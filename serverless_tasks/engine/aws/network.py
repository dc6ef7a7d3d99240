"""Ways from the subnets of a VPC to AWS's services: a function without one waits until its timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.session import call, client

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ALL_ADDRESSES = "0.0.0.0/0"
# What a default route may lead to. Not an internet gateway: a function's network interface has no public address.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html
_WAYS_OUT = (
    *("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId", "VpcPeeringConnectionId"),
    *("LocalGatewayId", "CarrierGatewayId", "CoreNetworkArn"),
)


def unreachable_services(subnets: Sequence[str], services: Iterable[str]) -> dict[str, list[str]]:
    """Return the services that some of the subnets have no way to, neither a default route nor an endpoint, with these.

    Args:
        subnets: the ids of the subnets.
        services: names of services as endpoints have them, such as ``"sqs"``.

    Raises:
        AwsError: they may not be looked at, or one of them does not exist.
    """
    ec2 = client("ec2")
    vpcs = {
        each["SubnetId"]: each["VpcId"]
        for each in call(ec2.describe_subnets, SubnetIds=list(subnets))["Subnets"]
    }
    inside = [{"Name": "vpc-id", "Values": sorted(set(vpcs.values()))}]
    tables = _pages(ec2.describe_route_tables, "RouteTables", inside)
    endpoints = _pages(ec2.describe_vpc_endpoints, "VpcEndpoints", inside)
    routed = {subnet: _table_of(subnet, vpc, tables) for subnet, vpc in vpcs.items()}
    closed = [subnet for subnet in vpcs if not _leads_out(routed[subnet])]
    missing: dict[str, list[str]] = {}
    for service in services:
        found = [each for each in endpoints if each["ServiceName"].endswith(f".{service}")]
        lacking = [
            subnet
            for subnet in closed
            if not any(_serves(each, vpcs[subnet], routed[subnet]) for each in found)
        ]
        if lacking:
            missing[service] = lacking
    return missing


def _pages(method: Any, name: str, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = call(method, Filters=filters, **more)
        found += page[name]
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


def _table_of(subnet: str, vpc: str, tables: list[dict[str, Any]]) -> dict[str, Any]:
    """The subnet's route table; one that is associated with none has the main table of its VPC."""
    main: dict[str, Any] = {}
    for table in (each for each in tables if each["VpcId"] == vpc):
        for association in table["Associations"]:
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main"):
                main = table
    return main


def _leads_out(table: dict[str, Any]) -> bool:
    return any(
        route.get("DestinationCidrBlock") == _ALL_ADDRESSES
        and route.get("State") != "blackhole"
        and (any(route.get(each) for each in _WAYS_OUT) or str(route.get("GatewayId", "")).startswith("vgw-"))
        for route in table.get("Routes", [])
    )


def _serves(endpoint: dict[str, Any], vpc: str, table: dict[str, Any]) -> bool:
    """Return whether clients in a subnet reach an endpoint, without being told of it."""
    if endpoint["VpcId"] != vpc or endpoint.get("State", "available").lower() != "available":
        return False
    if endpoint["VpcEndpointType"] == "Gateway":
        return table.get("RouteTableId") in endpoint.get("RouteTableIds", [])
    return bool(endpoint.get("PrivateDnsEnabled"))
