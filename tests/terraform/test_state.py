from collections.abc import Iterator
from dataclasses import replace

import pytest
from terraform.account import Account, account
from terraform.runner import Terraform

KEY = "weather/dev/terraform.tfstate"
BUCKET = "weather-operator-state-123456789012"


@pytest.fixture
def amazon() -> Iterator[Account]:
    with account() as opened:
        yield opened


@pytest.mark.timeout(1800)
def test_state_is_kept_and_locked_in_the_bucket(alone: Terraform, amazon: Account) -> None:
    terraform = replace(alone, environment=amazon.environment())
    s3 = amazon.client("s3")
    assert terraform.init("bootstrap").returncode == 0
    terraform.do("bootstrap", "apply", "-auto-approve")
    terraform.do("bootstrap", "plan", "-detailed-exitcode")
    backend = terraform.do("bootstrap", "output", "-raw", "backend_hcl")
    told = s3.get_bucket_notification_configuration(Bucket=BUCKET)
    assert "EventBridgeConfiguration" in told
    # The bucket's policy wants TLS, which the stand-in does not speak.
    assert "SecureTransport" in s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    s3.delete_bucket_policy(Bucket=BUCKET)
    root = terraform.root
    (root / "backend.hcl").write_text(backend)
    (root / "backend.tf").write_text((root / "backend.tf.example").read_text())

    started = terraform.init(".", "-backend-config=backend.hcl")
    assert started.returncode == 0, started.stderr
    change = ("apply", "-auto-approve", "-target=terraform_data.addresses", "-no-color")
    terraform.do(".", *change)
    assert b"terraform_data" in s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    kept = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [each["Key"] for each in kept] == [KEY]

    s3.put_object(Bucket=BUCKET, Key=f"{KEY}.tflock", Body=b'{"ID":"1","Who":"another"}')
    refused = terraform.run(".", *change)
    assert refused.returncode == 1
    assert "Error acquiring the state lock" in refused.stderr
    assert "another" in refused.stderr
    s3.delete_object(Bucket=BUCKET, Key=f"{KEY}.tflock")
    terraform.do(".", *change)


def test_the_example_of_a_backend_is_what_bootstrap_prints(terraform: Terraform) -> None:
    example = (terraform.root / "backend.hcl.example").read_text().partition("\n")[2]
    printed = (terraform.root / "bootstrap/outputs.tf").read_text()
    for line in example.splitlines():
        assert line.split("=")[0].strip() in printed
