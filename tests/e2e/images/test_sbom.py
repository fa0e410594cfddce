"""The bill of materials says what the images themselves hold."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from support.kubectl import ROOT

COMMAND = (sys.executable, "-m", "release", "sbom")


@pytest.mark.parametrize(
    ("image", "part", "package"),
    [("weather-operator-0.1.0", "operator", "kopf"), ("weather-3.0.0", "webapp", "aiohttp")],
)
def test_what_was_pinned_is_in_the_image_and_on_its_bill(
    image: str, part: str, package: str, tmp_path: Path
) -> None:
    if os.geteuid():
        pytest.skip("looking into an image needs root")
    made = subprocess.run([*COMMAND, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    text = (tmp_path / f"{image}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    found = {each["purl"] for each in bill["components"]}
    pins = (ROOT / f"requirements/{part}.txt").read_text()
    (version,) = re.findall(rf"^{package}==(\S+)", pins, re.M)
    assert f"pkg:pypi/{package}@{version}" in found
    assert any(each.startswith("pkg:deb/debian/libc6@") for each in found)
    hashes = {each["name"]: each.get("hashes", []) for each in bill["components"]}
    own = f"weather-{part}"
    assert {name for name, found in hashes.items() if not found} == {own}
    (downloaded,) = hashes[package]
    assert downloaded["alg"] == "SHA-256"
    assert f"--hash=sha256:{downloaded['content']}" in pins
    without = {each["name"] for each in bill["components"] if not each.get("licenses")}
    assert package not in without
    assert len(without) < len(found) / 4, "licences are known of most"
