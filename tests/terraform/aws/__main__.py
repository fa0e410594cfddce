"""Amazon on this machine, until standard input ends: moto, and beside it our EKS."""

import json
import os
import sys

# Before moto is imported, which reads it then: without the managed policies no role can have one.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from terraform.aws.eks_api import serve
from terraform.aws.rest import start


def main() -> None:
    """Print the two addresses as JSON, once both answer."""
    rest = start()
    eks = serve()
    print(json.dumps({"rest": rest, "eks": eks}), flush=True)
    sys.stdin.read()


main()
