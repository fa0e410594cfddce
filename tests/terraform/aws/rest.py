"""Everything but EKS: moto's server, mended where Terraform is not told what it asked for."""

from typing import Any
from unittest.mock import patch

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.launch_templates import LaunchTemplateBackend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer


def start() -> str:
    """Address of a server that answers, on a free port of this machine."""
    _keep_a_templates_own_tags_out_of_its_data()
    _remember_why_a_group_is_let_in()
    _tell_of_eventbridge()
    _deal_out_the_zones_letters()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def _keep_a_templates_own_tags_out_of_its_data() -> None:
    # Otherwise every plan wants to take them out again.
    create = LaunchTemplateBackend.create_launch_template

    def patched(self: Any, name: str, description: str, data: dict[str, Any], tags: Any) -> Any:
        given = data.get("TagSpecifications", [])
        kept = [each for each in given if each.get("ResourceType") != "launch-template"]
        return create(self, name, description, {**data, "TagSpecifications": kept}, tags)

    patch.object(LaunchTemplateBackend, "create_launch_template", patched).start()


def _remember_why_a_group_is_let_in() -> None:
    # moto answers with the description of an address range, and with none of a group.
    def description(self: Any) -> str | None:
        source = self.ip_range or self.source_group or {}
        why: str | None = source.get("Description")
        return why

    patch.object(SecurityGroupRule, "description", property(description)).start()


def _tell_of_eventbridge() -> None:
    # moto keeps that a bucket's changes go to EventBridge, and leaves it out of its answer.
    answer = S3Response.get_bucket_notification
    told = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"

    def patched(self: Any) -> Any:
        kept = self.backend.get_bucket_notification_configuration(self.bucket_name)
        return (200, {}, told) if kept and kept.event_bridge is not None else answer(self)

    patch.object(S3Response, "get_bucket_notification", patched).start()


def _deal_out_the_zones_letters() -> None:
    # AWS deals them out account by account: here us-east-1a is the zone that EKS is not in.
    zones = RegionsAndZonesBackend.zones["us-east-1"]
    first = zones[0]
    other = next(zone for zone in zones if zone.zone_id == "use1-az3")
    first.zone_id, other.zone_id = other.zone_id, first.zone_id
