import io

import pytest
from kubectl_weather import printing
from kubectl_weather.model import site
from kubectl_weather.tree import site_tree
from rich.console import Console
from support import objects

APP = objects.app(status=objects.status("Blocked", "1.0.0 to 2.0.0 waits", desiredVersion="2.0.0"))
DEPLOYMENT = objects.deployment(APP, updated=1)
GONE = objects.replica_set(DEPLOYMENT, 1, "3.0.0", desired=0, ready=0)
OLD = objects.replica_set(DEPLOYMENT, 2, "1.0.0")
NEW = objects.replica_set(DEPLOYMENT, 3, "2.0.0", desired=1, ready=0)
PODS = [
    objects.pod(NEW, "a", ready=False, waiting="ImagePullBackOff"),
    objects.pod(OLD, "b"),
    objects.pod(OLD, "c", terminating=True),
]


def drawn(**options: object) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200, **options)  # type: ignore[arg-type] # a table
    console.print(
        printing.rendered(site_tree(site(APP, [DEPLOYMENT], [GONE, OLD, NEW], PODS), objects.NOW))
    )
    return out.getvalue()


def test_a_tree_shows_version_shape_readiness_reason_node_and_age_in_words() -> None:
    assert drawn().splitlines() == [
        "WeatherApp london  London  ▲ 1.0.0 yellow  → 2.0.0  2/2  Blocked  5m",
        "├── 1.0.0 to 2.0.0 waits",
        "└── Deployment london  1 of 2 updated  2 available  60s",
        "    ├── ReplicaSet london-3  ● 2.0.0 green  0/1  60s",
        "    │   └── Pod london-3-a  ✘ ImagePullBackOff  2 restarts  node-1  60s",
        "    ├── ReplicaSet london-2  ▲ 1.0.0 yellow  2/2  60s",
        "    │   ├── Pod london-2-b  ✔ Ready  node-1  60s",
        "    │   └── Pod london-2-c  x Terminating  node-1  60s",
        "    └── 1 more ReplicaSet without pods",
    ]


def test_a_pipe_gets_the_same_lines(capsys: pytest.CaptureFixture[str]) -> None:
    root = site_tree(site(APP, [DEPLOYMENT], [GONE, OLD, NEW], PODS), objects.NOW)
    printing.print_tree(root)
    assert capsys.readouterr().out == drawn()


def test_colour_is_for_terminals_and_adds_no_word() -> None:
    assert "\x1b[" not in drawn()
    coloured = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=200)
    with coloured.capture() as capture:
        coloured.print(printing.line(site_tree(site(APP, [], [], []), objects.NOW).spans))
    assert "\x1b[1;33m▲ 1.0.0 yellow" in capture.get()


def test_an_app_that_nobody_has_seen_says_so() -> None:
    new = objects.app()
    texts = [span.text for span in site_tree(site(new, [], [], []), objects.NOW).spans]
    assert texts == ["WeatherApp london", "London", "no version yet", "?/?", "no status yet", "5m"]


def owned(kind: str, **content: object) -> dict[str, object]:
    metadata = {
        "name": "london",
        "creationTimestamp": objects.ago(60),
        "ownerReferences": DEPLOYMENT["metadata"]["ownerReferences"],
    }
    return {"kind": kind, "metadata": metadata, **content}


def test_what_leads_to_the_pods_is_there_with_what_there_is_to_know() -> None:
    access = [
        owned("Service", spec={"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}),
        owned(
            "HorizontalPodAutoscaler",
            spec={"minReplicas": 2, "maxReplicas": 5},
            status={"desiredReplicas": 3},
        ),
        owned("Ingress", spec={"rules": [{"host": "london.example"}], "tls": [{}]}),
        owned("HTTPRoute", spec={"hostnames": ["a.example"], "parentRefs": [{"name": "public"}]}),
    ]
    tree = site_tree(site(APP, [], [], [], access=access), objects.NOW)
    lines = ["  ".join(span.text for span in each.spans) for each in tree.children]
    assert lines[1:5] == [
        "Service london  NodePort 80:30080  60s",
        "HorizontalPodAutoscaler london  2 to 5 pods, now 3  60s",
        "Ingress london  london.example, TLS  60s",
        "HTTPRoute london  a.example at Gateway public  60s",
    ]
