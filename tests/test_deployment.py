"""The manifests of deploy/: what they say to each other; none was applied to a cluster."""

import re
from pathlib import Path

import pytest

KUBERNETES = Path(__file__).parents[1] / "deploy" / "kubernetes"
LABEL = {"dp-spark-run": "RUN"}


def test_the_network_policy_admits_pods_of_the_run_alone():
    yaml = pytest.importorskip("yaml", reason="no YAML parser is installed")
    (policy,) = yaml.safe_load_all((KUBERNETES / "network-policy.yaml").read_text())
    assert (policy["apiVersion"], policy["kind"]) == ("networking.k8s.io/v1", "NetworkPolicy")
    assert policy["spec"] == {
        "podSelector": {"matchLabels": LABEL},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": LABEL}}]}],
    }
    (application,) = yaml.safe_load_all((KUBERNETES / "spark-application.yaml").read_text())
    assert application["spec"]["driver"]["labels"] == LABEL
    assert application["spec"]["executor"]["labels"] == LABEL


def test_driver_executors_and_policy_have_the_same_label():
    """Without a YAML parser."""
    labels = {
        path.name: re.findall(r"dp-spark-run: (\w+)", path.read_text()) for path in KUBERNETES.iterdir()
    }
    assert labels == {"network-policy.yaml": ["RUN", "RUN"], "spark-application.yaml": ["RUN", "RUN"]}
