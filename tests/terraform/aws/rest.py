"""Everything but EKS: moto's server, mended where it tells Terraform what nobody asked for."""

from typing import Any
from unittest.mock import patch

from moto.ec2.models.launch_templates import LaunchTemplateBackend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.server import ThreadedMotoServer


def start() -> str:
    """Address of a server that answers, on a free port of this machine."""
    _keep_a_templates_own_tags_out_of_its_data()
    _remember_why_a_group_is_let_in()
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
