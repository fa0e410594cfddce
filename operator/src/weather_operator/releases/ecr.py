"""Digests of images in Amazon's registry, whose tokens only its own API gives.

Credentials come as boto3 finds them: in a cluster by Pod Identity or the service account's role,
which needs ecr:DescribeImages alone.
"""

import functools
import re
from typing import Any

from weather_operator.releases.image_reference import ImageReference, RegistryError

_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(?:amazonaws\.com(?:\.cn)?|on\.(?:aws|amazonwebservices\.com\.cn))"
)
_DENIED = ("AccessDenied", "Expired", "InvalidClient", "InvalidSignature", "Unrecognized")


def is_ecr(registry: str) -> bool:
    """Tell whether a host is one of Amazon's registries."""
    return _HOST.fullmatch(registry) is not None


def digest_of(reference: ImageReference) -> str:
    """Return the digest of the reference's own digest, where it has one, else of its tag.

    Blocks for some seconds at most, so call it in a thread. Raises RegistryError.
    """
    # Half a second and 40 MB, that only those who use it should pay.
    from botocore import exceptions

    found = _HOST.fullmatch(reference.registry)
    if found is None:
        raise ValueError(f"{reference.registry} is not Amazon's")
    image = {"imageDigest": reference.digest} if reference.digest else {"imageTag": reference.tag}
    try:
        answer = _client(found["region"]).describe_images(
            registryId=found["account"], repositoryName=reference.repository, imageIds=[image]
        )
        return str(answer["imageDetails"][0]["imageDigest"])
    except exceptions.ClientError as error:
        raise _registry_error(error.response, reference) from error
    except exceptions.NoCredentialsError as error:
        message = "no AWS credentials: give the operator's service account a role, by Pod Identity"
        raise RegistryError("AccessDenied", message) from error
    except exceptions.BotoCoreError as error:
        message = f"{reference.registry} does not answer: {error}"
        raise RegistryError("RegistryUnreachable", message) from error
    except (KeyError, IndexError, TypeError) as error:
        message = f"{reference.registry} does not answer as ECR does: {str(answer)[:120]}"
        raise RegistryError("UnexpectedAnswer", message) from error


@functools.cache
def _client(region: str) -> Any:
    import boto3
    from botocore.config import Config

    timeouts = Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 1})
    return boto3.client("ecr", region_name=region, config=timeouts)


def _registry_error(response: Any, reference: ImageReference) -> RegistryError:
    error = response.get("Error", {})
    code, message = error.get("Code", ""), error.get("Message", "")
    if code in ("ImageNotFoundException", "RepositoryNotFoundException"):
        return RegistryError("NotFound", message)
    if code.startswith(_DENIED):
        return RegistryError("AccessDenied", f"{message}: the role needs ecr:DescribeImages")
    return RegistryError("RegistryUnreachable", f"{reference.registry}: {code} {message}".strip())
