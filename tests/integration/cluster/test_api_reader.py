"""What tests read over HTTP is what kubectl would have shown them."""

import json

import pytest
from support.deadlines import eventually
from support.kubectl import Shell


@pytest.mark.parametrize(
    "words",
    [
        ("namespaces", "default"),
        ("weatherreleases",),
        ("wr", "1.0.0"),
        ("-n", "kube-system", "configmaps,serviceaccounts"),
        ("svc", "-A"),
        ("services", "-n", "default", "-l", "component=apiserver"),
        ("crd", "--field-selector=metadata.name=weatherapps.weather.quantspark.io"),
        ("flowschema", "exempt"),
        ("hpa",),
        ("wr", "2.0.0", "--show-managed-fields"),
    ],
    ids=" ".join,
)
def test_reads_what_kubectl_gets(shell: Shell, words: tuple[str, ...]) -> None:
    def agree() -> bool:
        by_kubectl = json.loads(shell.kubectl("get", *words, "-o", "json"))
        read = shell.get(*words)
        assert read.get("items", read) == by_kubectl.get("items", by_kubectl)
        return True

    # What neighbours left may go between the one and the other.
    eventually(agree)


@pytest.mark.parametrize("words", [("weatherrelease", "0.0.0"), ("nothings",)], ids=" ".join)
def test_what_is_not_there_fails_with_the_servers_words(
    shell: Shell, words: tuple[str, ...]
) -> None:
    with pytest.raises(AssertionError, match=r"not found|doesn't have a resource type"):
        shell.get(*words)
