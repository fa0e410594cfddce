"""Settings of NGINX that no test can wait for."""

import re
from pathlib import Path

import weather_webapp

LOAD_BALANCER_IDLE_SECONDS = 60


def test_a_load_balancer_gives_idle_connections_up_before_nginx_does() -> None:
    text = (Path(weather_webapp.__file__).parent / "nginx.conf").read_text()
    (seconds,) = re.findall(r"^  keepalive_timeout (\d+)s;$", text, re.MULTILINE)
    assert int(seconds) > LOAD_BALANCER_IDLE_SECONDS
