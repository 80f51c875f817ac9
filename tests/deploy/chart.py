"""The chart, rendered: what `helm template` makes of values, parsed."""
import json
import subprocess

import gotools
from common import ROOT
from support import read_yaml, yaml_documents

CHART = ROOT / "helm/onsale"
# What no default can know.
LEAST = {
    "kafka": {"brokers": "kafka:9092"},
    "registry": {"url": "http://registry:8080/apis/ccompat/v7"},
    "sessions": {"existingSecret": "sessions"},
    "codes": {"existingSecret": "codes"},
    "queues": {"existingSecret": "queues"},
    "letters": {"existingSecret": "letters", "smtp": "smtp://smtp:587", "from": "onsale@onsale.test"},
    "edge": {"host": "onsale.test"},
    "trustedProxies": "10.0.0.0/8",
    "networkPolicy": {name: {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]}
                      for name in ("kafka", "postgres", "registry", "smtp")},
    "components": {name: {"existingSecret": name} for name in ("auth", "tickets", "orders", "payments")},
}
WAREHOUSE = {"connect": {"enabled": True, "image": "connect:1", "registryUrl": "http://registry:8080/apis/registry/v2", "existingSecret": "warehouse"},
             "networkPolicy": {"warehouse": {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}}}
LAKE = {"connect": {"lake": {"location": "s3://onsale-lake/events", "region": "eu-central-1", "endpoint": "https://s3.onsale.test", "existingSecret": "lake",
                             "image": "analysts:1"}},
        "networkPolicy": {"lake": {"to": [{"ipBlock": {"cidr": "192.0.2.128/25"}}]}}}
# Ways to use the chart that together reach every line of it.
MATRIX = {
    "least": LEAST,
    "dev": ["values-dev.yaml", LEAST],
    "production": ["values-production.yaml"],
    "10x": ["values-production.yaml", "values-10x.yaml"],
    "no-edge": [LEAST, {"edge": {"enabled": False}, "letters": {"site": "https://onsale.test"}, "networkPolicy": {"enabled": False}}],
    "others-gateway": [LEAST, {"edge": {"gateway": {"create": False, "existing": {"name": "shared", "namespace": "edge"}}, "policies": False}}],
    "tls": [LEAST, {"edge": {"tlsSecret": "tls", "trustedHops": 1, "gateway": {"annotations": {"cert-manager.io/cluster-issuer": "x"}}}}],
    "inside": [LEAST, {"edge": {"tlsSecret": "tls"}, "tls": {"inside": {"enabled": True, "issuer": {"name": "inside"}}}}],
    "inside-ours": [LEAST, {"edge": {"gateway": {"create": False, "existing": {"name": "shared", "namespace": "edge"}}},
                            "tls": {"inside": {"enabled": True, "prefix": "inside-"}}}],
    "secrets": [LEAST, {"kafka": {"existingSecret": "kafka", "secretProperties": ["sasl.password"], "caSecret": "ca"},
                        "registry": {"url": "", "existingSecret": "registry"}, "image": {"digest": "sha256:" + "0" * 64, "pullSecrets": ["pull"]}}],
    "autoscaled": [LEAST, {"defaults": {"autoscaling": {"enabled": True}, "tolerations": [{"operator": "Exists"}], "nodeSelector": {"a": "b"},
                                        "priorityClassName": "high", "podAnnotations": {"rolled": "today"},
                                        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                                            {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}]}}},
                           "jobs": {"podAnnotations": {"a": "b"}}}],
    "operators": [LEAST, WAREHOUSE, {"networkPolicy": {"kafka": {"to": []}, "postgres": {"to": []}}, "kafka": {"brokers": ""},
                                     "components": {"orders": {"ownerSecret": "onsale-orders-owner", "replicationSecret": "onsale-orders-replication"}},
                                     "strimzi": {"enabled": True, "storageClass": "fast"}, "cnpg": {"enabled": True, "storageClass": "fast"}}],
    "warehouse": [LEAST, WAREHOUSE],
    "lake": [LEAST, WAREHOUSE, LAKE],
    "users": [LEAST, WAREHOUSE, {"kafka": {"tls": True, "users": {"cluster": "events"}}}],
    "monitored": [LEAST, {"monitoring": {"serviceMonitor": True, "rules": True, "dashboard": True, "labels": {"release": "prometheus"}}}],
    "fewer": [LEAST, {"components": {"payments": {"enabled": False, "existingSecret": ""}, "web": {"enabled": False}}}],
}


class Refused(Exception):
    """Helm's own words."""


def merged(low, high):
    """As Helm merges values: the later goes first, maps into maps."""
    if not (isinstance(low, dict) and isinstance(high, dict)):
        return high
    return low | {key: merged(low.get(key), value) for key, value in high.items()}


def arguments(*parts):
    """Names of files beside the chart, and values as they are."""
    words = []
    for part in parts:
        if isinstance(part, list):
            words += arguments(*part)
        elif isinstance(part, str):
            words += ["-f", str(CHART / part)]
        else:
            words += [word for key, value in part.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
    return words


def helm(*words, **options):
    done = subprocess.run([gotools.program("helm"), *map(str, words)], text=True, capture_output=True, **options)
    if done.returncode != 0:
        raise Refused("\n".join(line for line in (done.stderr + done.stdout).splitlines() if "symbolic link" not in line))
    return done.stdout


def values_of(*parts):
    """The values that these come to, as one map."""
    whole = {}
    for part in parts:
        values = values_of(*part) if isinstance(part, list) else read_yaml(CHART / part) if isinstance(part, str) else part
        whole = merged(whole, values)
    return whole


def render(*parts, release="shop", namespace="tickets", text=False, chart=CHART):
    """The documents, in order."""
    done = helm("template", release, chart, "-n", namespace, "--kube-version", gotools.KUBERNETES, "-f", "-", input=json.dumps(values_of(*parts)))
    return done if text else yaml_documents(done)


def key(doc):
    return doc["apiVersion"].rpartition("/")[0], doc["kind"], doc["metadata"]["name"]


def pod_template(doc):
    """Of whatever makes pods; None of others."""
    if doc["kind"] == "CronJob":
        return doc["spec"]["jobTemplate"]["spec"]["template"]
    return doc["spec"]["template"] if doc["kind"] in ("Deployment", "StatefulSet", "Job") else None


def pod_spec(doc):
    template = pod_template(doc)
    return template and template["spec"]


def pod_labels(doc):
    return pod_template(doc)["metadata"]["labels"]


def containers(doc):
    spec = pod_spec(doc)
    return [] if spec is None else [*spec.get("initContainers", []), *spec["containers"]]


def of(docs, kind, name=None):
    found = [doc for doc in docs if doc["kind"] == kind and (name is None or doc["metadata"]["name"] == name)]
    return found if name is None else found[0]
