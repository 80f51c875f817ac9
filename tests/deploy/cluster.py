"""A real Kubernetes without machines: etcd, kube-apiserver, kube-controller-manager, and kwok, which says of every pod that it runs (and
of a Job's that it is done). What a scheduler does is done here: each pod goes to the one node, unless it is to be held back."""
import contextlib
import json
import pathlib
import subprocess
import tempfile
import threading

import requests

import gotools
from crds import crds
from support import DEADLINE, free_port, wait_until

NODE = "node"
HELD = "onsale.test/held"  # an annotation: such a pod is never scheduled


def _session():
    session = requests.Session()
    session.trust_env = False  # or a CA of the environment would go before the next line
    session.verify = False  # the server's certificate is its own, and nobody is between
    session.headers["Authorization"] = "Bearer test"
    return session


class Cluster:
    def __init__(self, directory):
        self.directory = directory
        self.url = f"https://127.0.0.1:{free_port()}"
        self.kubeconfig = directory / "kubeconfig"
        self._session = _session()
        self._processes, self._plurals, self._stopping = [], {}, threading.Event()

    # --- the processes ---

    def start(self):
        keys, etcd, peer = self.directory / "accounts.key", free_port(), free_port()
        subprocess.run(["openssl", "genrsa", "-out", keys, "2048"], check=True, stderr=subprocess.DEVNULL)
        (self.directory / "tokens.csv").write_text('test,test,test,"system:masters"\n')
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test", "users": [{"name": "test", "user": {"token": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}))
        self._run("etcd", "--data-dir", self.directory / "etcd", "--listen-client-urls", f"http://127.0.0.1:{etcd}", "--advertise-client-urls",
                  f"http://127.0.0.1:{etcd}", "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls",
                  f"http://127.0.0.1:{peer}", "--initial-cluster", f"default=http://127.0.0.1:{peer}", "--unsafe-no-fsync", "--log-level=warn")
        self._run("kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
                  f"--secure-port={self.url.rpartition(':')[2]}", f"--cert-dir={self.directory}/certificates", f"--service-account-key-file={keys}",
                  f"--service-account-signing-key-file={keys}", "--service-account-issuer=https://onsale.test",
                  f"--token-auth-file={self.directory}/tokens.csv", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/16",
                  "--endpoint-reconciler-type=none")
        wait_until(self._ready, "the API server is ready")
        self._run("kube-controller-manager", f"--kubeconfig={self.kubeconfig}", f"--service-account-private-key-file={keys}",
                  "--leader-elect=false", "--bind-address=127.0.0.1", f"--secure-port={free_port()}")
        self._run("kwok", f"--kubeconfig={self.kubeconfig}", f"--config={gotools.directory()}/stages.yaml", "--manage-all-nodes=true",
                  "--server-address", f"127.0.0.1:{free_port()}")
        self.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": {
            "kubernetes.io/hostname": NODE, "topology.kubernetes.io/zone": "a"}},
            "status": {"allocatable": {"cpu": "999", "memory": "999Gi", "pods": "999"}}})
        threading.Thread(target=self._schedule, daemon=True).start()
        self._describe_resources()

    def _ready(self):
        assert self._processes[-1].poll() is None, (self.directory / "kube-apiserver.log").read_text()[-2000:]
        try:
            return self._session.get(self.url + "/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def _run(self, name, *words):
        with open(self.directory / f"{name}.log", "w") as log:
            self._processes.append(subprocess.Popen([gotools.program(name), *map(str, words)], cwd=self.directory, stdin=subprocess.DEVNULL,
                                                    stdout=log, stderr=log))

    def stop(self):
        self._stopping.set()
        for process in reversed(self._processes):
            process.kill()  # nothing of it is needed any more
            process.wait()

    def _schedule(self):
        session = _session()  # a thread's own
        while not self._stopping.wait(0.1):
            with contextlib.suppress(requests.RequestException):
                for pod in session.get(self.url + "/api/v1/pods?fieldSelector=spec.nodeName=", timeout=DEADLINE).json().get("items") or []:
                    meta = pod["metadata"]
                    if HELD not in meta.get("annotations", {}):
                        session.post(f"{self.url}/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/binding", timeout=10, json={
                            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]}, "target": {"kind": "Node", "name": NODE}})

    # --- what it knows ---

    def _describe_resources(self):
        for crd in crds():
            self.create(crd)

        def established():
            found = self.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
            return all(any(c["type"] == "Established" and c["status"] == "True" for c in crd.get("status", {}).get("conditions") or []) for crd in found)
        wait_until(established, "the custom resources are known")

    def _path(self, version, kind, namespace=None):
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._plurals:
            def known():  # a resource that is new is served a moment later
                answer = self._session.get(self.url + base, timeout=30)
                found = [r for r in (answer.json().get("resources") or []) if r["kind"] == kind and "/" not in r["name"]]
                return found[0] if answer.status_code == 200 and found else None
            found = wait_until(known, f"{version} {kind} is served")
            self._plurals[version, kind] = found["name"], found["namespaced"]
        plural, namespaced = self._plurals[version, kind]
        return f"{base}/namespaces/{namespace}/{plural}" if namespaced and namespace else f"{base}/{plural}"

    # --- asking it ---

    def get(self, path):
        answer = self._session.get(self.url + path, timeout=30)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def list(self, version, kind, namespace, **labels):
        selector = ",".join(f"app.kubernetes.io/{name}={value}" for name, value in labels.items())
        return self.get(f"{self._path(version, kind, namespace)}?labelSelector={selector}")["items"]

    def create(self, doc, dry=False):
        """What the server made of it. dry: it only says what it would, and warns of nothing but refuses it."""
        path = self._path(doc["apiVersion"], doc["kind"], doc["metadata"].get("namespace"))
        answer = self._session.post(f"{self.url}{path}?fieldValidation=Strict{'&dryRun=All' if dry else ''}", json=doc, timeout=30)
        assert answer.status_code == 201, f"{doc['kind']} {doc['metadata']['name']}: {answer.status_code} {answer.json().get('message')}"
        return answer.json()

    def namespace(self, name):
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

        def has_account():  # without one, no pod is admitted
            return self._session.get(f"{self.url}/api/v1/namespaces/{name}/serviceaccounts/default", timeout=DEADLINE).status_code == 200
        wait_until(has_account, f"the namespace {name} is ready")
        return name


@contextlib.contextmanager
def cluster():
    with tempfile.TemporaryDirectory(prefix="onsale-kubernetes.") as directory:
        made = Cluster(pathlib.Path(directory))
        try:
            made.start()
            yield made
        finally:
            made.stop()
