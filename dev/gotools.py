"""The Go programs of the tests, built once from modules that are pinned beside their sources. The tools that the tests of the deployment run: a real
Kubernetes without nodes, Helm, kubeconform, Envoy Gateway; what these resources mean to others comes with their modules, too. And what tests/chaos
asks: a checker of histories, and proxies."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

import common
import fetch
from common import ROOT, Failed, cache_dir, say, short_hash

SOURCE = ROOT / "tests/deploy/tools"
CHECKER = ROOT / "tests/chaos/check"
KUBERNETES = "v1.37.1"
TOOLCHAIN = "golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64"  # for machines whose Go is older than the modules ask for
OLDEST = (1, 26)
BUILD_MINUTES = 30  # a machine that needs longer does not test the deployment
ENVOY_GATEWAY = "github.com/envoyproxy/gateway@v1.9.1"
# In the order in which they are built, several at a time where they share most of their packages; the last one from modules of its own.
PROGRAMS = (
    ("Helm, kubeconform and kwok (about two minutes)",
     ["helm.sh/helm/v4/cmd/helm", "github.com/yannh/kubeconform/cmd/kubeconform", "sigs.k8s.io/kwok/cmd/kwok"]),
    ("etcd, kube-apiserver and kube-controller-manager (about five minutes)",
     ["./etcd", "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager"]),
    ("Envoy Gateway's translation (about four minutes)", [ENVOY_GATEWAY.replace("@", "/cmd/egctl@")]),
)
# Custom resources that the chart makes, as those say who read them.
CRDS = {
    "sigs.k8s.io/gateway-api@v1.6.1": "config/crd/standard/gateway.networking.k8s.io_{gateways,httproutes}.yaml",
    ENVOY_GATEWAY:
        "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_{backendtrafficpolicies,clienttrafficpolicies,httproutefilters}.yaml",
    "github.com/prometheus-operator/prometheus-operator@v0.85.0":
        "example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml",
    "github.com/cloudnative-pg/cloudnative-pg@v1.30.0": "config/crd/bases/postgresql.cnpg.io_{clusters,databases}.yaml",
}
# Those of TLS inside. Nothing is built with them, so a change here builds nothing anew.
MORE_CRDS = {
    "sigs.k8s.io/gateway-api@v1.6.1": "config/crd/standard/gateway.networking.k8s.io_{backendtlspolicies}.yaml",
    "github.com/cert-manager/cert-manager@v1.19.1": "deploy/crds/cert-manager.io_{certificates}.yaml",
}
# What kwok makes of nodes and pods: all that is asked of them succeeds at once.
STAGES = ("sigs.k8s.io/kwok@v0.8.0", ["node/fast/node-initialize", "node/heartbeat/node-heartbeat", "pod/fast/pod-ready", "pod/fast/pod-complete",
                                      "pod/fast/pod-delete"])


class TooSlow(Failed):
    """The same command again goes on where it ended."""


def directory():
    made_of = [file.read_text() for file in sorted(SOURCE.rglob("*")) if file.is_file()]
    return cache_dir() / f"gotools-{short_hash(repr((made_of, KUBERNETES, PROGRAMS, CRDS, STAGES)))}"


def program(name):
    return directory() / "bin" / name


def crds():
    return directory() / "crds"


def more_crds():
    made = cache_dir() / f"crds-{short_hash(repr(MORE_CRDS))}"
    with fetch.being_made(made) as unfinished:
        if unfinished:
            unfinished.mkdir(parents=True)
            _copy_crds(*new_go(unfinished), MORE_CRDS, unfinished / "crds")
            shutil.rmtree(unfinished / "go", ignore_errors=True)
    return made / "crds"


def checker():
    """The program that checks the histories of tests/chaos."""
    return _alone(CHECKER, ".")


def toxiproxy():
    """What stands between two processes of a stack while tests/chaos disturbs the network."""
    return _alone(ROOT / "tests/chaos/network", "github.com/Shopify/toxiproxy/v2/cmd/server")


def _alone(source, package):
    """A program of modules of its own, built if it is not there (a few seconds)."""
    made_of = [file.read_text() for file in sorted(source.iterdir())]
    made = cache_dir() / f"chaos{source.name}-{short_hash(repr((made_of, package, TOOLCHAIN)))}"
    with fetch.being_made(made) as unfinished:
        if unfinished:
            unfinished.mkdir(parents=True)
            go, environment = new_go(unfinished)
            subprocess.run([go, "build", "-ldflags", "-s -w", "-o", unfinished / source.name, package], cwd=source, env=environment, check=True)
            shutil.rmtree(unfinished / "go", ignore_errors=True)
    return made / source.name


def make():
    with fetch.being_made(directory()) as unfinished:
        if unfinished:
            say("building a Kubernetes to test the deployment on, from its source (once; about twelve minutes on two cores)")
            (unfinished / "bin").mkdir(parents=True)
            deadline = time.monotonic() + BUILD_MINUTES * 60
            go, environment = new_go(unfinished)
            for what, packages in PROGRAMS:
                say(f"building {what}")
                _build(go, environment, unfinished, packages, deadline)
            _copy_crds(go, environment, CRDS, unfinished / "crds")
            stages = _module(go, environment, STAGES[0]) / "kustomize/stage"
            (unfinished / "stages.yaml").write_text("---\n".join((stages / f"{name}.yaml").read_text() for name in STAGES[1]))
            description = _module(go, environment, f"k8s.io/kubernetes@{KUBERNETES}") / "api/openapi-spec/swagger.json"
            shutil.copyfile(description, unfinished / "kubernetes.json")
            for made_with in ("go", "source"):
                shutil.rmtree(unfinished / made_with, ignore_errors=True)


def _environment(**more):
    return os.environ | {"GOMODCACHE": str(cache_dir() / "go-modules"), "GOFLAGS": "-modcacherw -buildvcs=false"} | more


def new_go(unfinished):
    """A Go that is new enough and the environment to run it in: this machine's, or one that an older one fetches as a module."""
    go = common.go()
    if not go:
        raise Failed("there is no Go; ./onsale test installs what is missing")
    text = subprocess.run([go, "version"], check=True, text=True, stdout=subprocess.PIPE, cwd="/").stdout
    if tuple(map(int, re.search(r"go(\d+)\.(\d+)", text).groups())) >= OLDEST:
        return go, _environment(GOTOOLCHAIN="local")
    newer = unfinished / "go"
    shutil.copytree(_module(go, _environment(), TOOLCHAIN), newer)
    for part in ("bin", "pkg/tool"):  # a module's files can't be executed
        for path in [newer / part, *(newer / part).rglob("*")]:
            path.chmod(0o755)
    return newer / "bin/go", _environment(GOTOOLCHAIN="local", GOROOT=str(newer))


def _module(go, environment, name):
    """Where a module's files are; verified by Go's checksum database."""
    try:
        done = subprocess.run([go, "mod", "download", "-json", name], env=environment, cwd="/", text=True, stdout=subprocess.PIPE, timeout=300)
    except subprocess.TimeoutExpired:
        raise TooSlow(f"the Go module {name} could not be had within five minutes") from None
    answer = json.loads(done.stdout or "{}")
    if done.returncode != 0:
        raise Failed(f"the Go module {name} cannot be had: {answer.get('Error', '')}")
    return pathlib.Path(answer["Dir"])


def _copy_crds(go, environment, table, into):
    into.mkdir()
    for module, paths in table.items():
        head, names, tail = re.fullmatch(r"(.*)\{(.*)\}(.*)", paths).groups()
        source = _module(go, environment, module)
        for name in names.split(","):
            path = source / f"{head}{name}{tail}"
            shutil.copyfile(path, into / path.name)


def _build(go, environment, unfinished, packages, deadline):
    """In a copy, for the checkout may change meanwhile."""
    source = shutil.copytree(SOURCE, unfinished / "source", dirs_exist_ok=True)
    command = [go, "install", "-ldflags", f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES}", *packages]
    with subprocess.Popen(command, cwd=source, env=environment | {"GOBIN": f"{unfinished}/bin"}, stdin=subprocess.DEVNULL, stdout=2,
                          stderr=subprocess.PIPE, text=True) as building:
        late = threading.Timer(max(0, deadline - time.monotonic()), building.terminate)
        late.daemon = True  # whatever happens here: nobody waits for it
        late.start()
        for line in building.stderr:
            if not line.startswith("go: downloading"):  # hundreds
                sys.stderr.write(line)
    late.cancel()
    if building.returncode < 0:
        raise TooSlow(f"the tools to test the deployment with could not be built within {BUILD_MINUTES} minutes")
    if building.returncode != 0:
        raise Failed("the tools could not be built, as said above; the same command again goes on where it ended")
