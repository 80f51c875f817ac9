"""What stands between the processes of a stack, so that the network and the clocks can be disturbed: a proxy (Toxiproxy) for each pair, and for
each of our processes a clock of its own (libfaketime). rewire() puts them there: it restarts the brokers and our processes, with other addresses.
A broker tells its clients where it is, so each of these has a listener of its own there. Nothing here is for several threads."""
import dataclasses
import pathlib
import subprocess

import requests
from support import DEADLINE, State, free_port, wait_until

import stack as dev  # of dev/, as support has made it known
from processes import kafkas

FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
CLOCKED = ("auth", "tickets", "orders", "payments", "expiration", "sales", "state", "waiting", "stripe-sandbox")
READERS = ("tickets", "orders", "payments", "expiration", "sales", "state", "waiting")  # those that are clients of Kafka
KEEPERS = ("auth", "tickets", "orders", "payments")


@dataclasses.dataclass
class Link:
    """Of one process to another; pairs of processes may have several, one a broker."""
    name: str
    port: int


class Wiring:
    def __init__(self, stack, proxy):
        self.stack, self.dev = stack, dev.Stack(State(stack.state))
        self.dev.leave_out_unknown()
        self.ports = self.dev.state.ports
        self.clocks = stack.state / "run"
        self.port, self.links, self.gone = free_port(), {}, set()
        self.log = open(stack.state / "log/network.log", "ab")
        self.server = subprocess.Popen([proxy, "-port", str(self.port)], env={"LOG_LEVEL": "error"}, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.url = f"http://127.0.0.1:{self.port}"
        wait_until(self.answers, "the proxies can be made")

    def answers(self):
        try:
            return self.ask("GET", "/version").status_code == 200
        except requests.ConnectionError:
            return False

    def ask(self, method, path, body=None):
        return requests.request(method, self.url + path, json=body, timeout=DEADLINE)

    def close(self):
        self.server.kill()
        self.server.wait()
        self.log.close()

    # --- putting it there ---

    def link(self, who, whom, port):
        """A new proxy between them; the port at which `who` finds it."""
        link = Link(f"{who}-{whom}", free_port())
        answer = self.ask("POST", "/proxies", {"name": link.name, "listen": f"127.0.0.1:{link.port}", "upstream": f"127.0.0.1:{port}", "enabled": True})
        assert answer.status_code == 201, answer.text
        self.links[link.name] = link
        return link.port

    def rewire(self, databases=None):
        """databases: where the keepers of data find it, if not at their usual server: {service: ports}."""
        supervisor = self.dev.supervisor
        ours = list(self.dev.own)
        supervisor.stop([*ours, "edge"])
        addresses = self.listen()
        for name in ours:
            self.dev.state.environment.setdefault(name, {}).update(self.surroundings(name, addresses, databases or {}))
            self.clock(name, 0)
            self.dev.restart(name)
        self.dev.restart("edge")
        self.link_edge()
        self.stack.read_env()

    def listen(self):
        """The brokers, with a listener for each client. {client: brokers}"""
        names, addresses = kafkas(self.dev.state), {who: [] for who in READERS}
        self.dev.supervisor.stop(names)
        for name in names:
            path = self.stack.state / f"run/{name}.properties"
            more = {"listeners": "", "advertised.listeners": "", "listener.security.protocol.map": ""}
            for who in READERS:
                port = free_port()
                seen = self.link(who, name, port)
                more["listeners"] += f",{who.upper()}://127.0.0.1:{port}"
                more["advertised.listeners"] += f",{who.upper()}://127.0.0.1:{seen}"
                more["listener.security.protocol.map"] += f",{who.upper()}:PLAINTEXT"
                addresses[who].append(f"127.0.0.1:{seen}")
            path.write_text("".join(line + more.get(line.split("=")[0], "") + "\n" for line in path.read_text().splitlines()))
            self.dev.supervisor.start(self.dev.processes()[name])
        self.dev.await_ready([self.dev.processes()[name] for name in names])
        return {who: ",".join(found) for who, found in addresses.items()}

    def surroundings(self, name, brokers, databases):
        """What a process is told of the others, and of the time."""
        told, usual = {}, self.stack.env
        if name in KEEPERS:
            ports = databases.get(name) or [self.ports[f"postgres-{name}"]]
            hosts = ",".join(f"127.0.0.1:{self.link(name, f'database{n}', port)}" for n, port in enumerate(ports))
            told["REPLICATION_DATABASE_URL"] = ""  # unless there is one: in the stack of a version before one role does both
            for key in ("DATABASE_URL", "REPLICATION_DATABASE_URL"):
                if url := usual.get(f"{name.upper()}_{key}"):
                    prefix, _, rest = url.partition("@")
                    told[key] = f"{prefix}@{hosts}/{rest.partition('/')[2]}" + ("?target_session_attrs=read-write" if len(ports) > 1 else "")
        if name in brokers:
            told["KAFKA_BROKERS"] = brokers[name]
            registry = self.ports["registry"]
            told["SCHEMA_REGISTRY_URL"] = usual["SCHEMA_REGISTRY_URL"].replace(f":{registry}/", f":{self.link(name, 'registry', registry)}/")
        if name in ("tickets", "orders", "payments", "waiting"):
            told["JWKS_URL"] = f"http://127.0.0.1:{self.link(name, 'auth', self.ports['auth'])}/.well-known/jwks.json"
        if name == "waiting":
            told["ORDERS_API"] = f"http://127.0.0.1:{self.link('waiting', 'orders', self.ports['orders'])}"
        if name == "payments":
            told["STRIPE_URL"] = f"http://127.0.0.1:{self.link(name, 'stripe', self.ports['stripe-sandbox'])}"
        if name == "stripe-sandbox":
            told["SANDBOX_WEBHOOK_URL"] = f"http://127.0.0.1:{self.link('stripe', 'payments', self.ports['payments'])}/api/payments/webhook"
        if name in CLOCKED and FAKETIME:
            # Its way of waiting for a condition by the monotonic clock returns at once, and the waiter spins: FORCE_MONOTONIC_FIX.
            told |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.clocks / f"{name}.clock"), "FAKETIME_CACHE_DURATION": "1",
                     "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}
        return told

    def link_edge(self):
        path = self.stack.state / "run/edge.conf"
        text = path.read_text()
        for service in KEEPERS:
            before = f" 127.0.0.1:{self.ports[service]}\n"
            assert before in text, f"the edge does not lead to {service}"
            text = text.replace(before, f" 127.0.0.1:{self.link('edge', service, self.ports[service])}\n")
        path.write_text(text)
        self.dev.supervisor.stop(["edge"])
        self.dev.supervisor.start_again("edge")

    # --- another version ---

    def upgrade(self, name):
        """Restarts it as the program of this tree, its database migrated first."""
        self.dev.restart(name)

    # --- disturbing ---

    def cut(self, name):
        """Connections end, and none is made."""
        assert self.ask("POST", f"/proxies/{name}", {"enabled": False}).status_code == 200

    def poison(self, name, kind, streams=("upstream", "downstream"), **how):
        for stream in streams:
            answer = self.ask("POST", f"/proxies/{name}/toxics", {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "toxicity": 1, "attributes": how})
            assert answer.status_code == 200, answer.text

    def bury(self, name):
        """Nobody is there any more. What accepts a connection and closes it would be taken for a server: libpq goes on to the next one only
        from one that refuses."""
        self.gone.add(name)
        self.cut(name)

    def calm(self):
        """Everything comes through again."""
        assert self.ask("POST", "/reset").status_code == 204
        for name in self.gone:
            self.cut(name)

    def mend(self, name):
        for toxic in self.ask("GET", f"/proxies/{name}").json()["toxics"]:
            self.ask("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")
        assert self.ask("POST", f"/proxies/{name}", {"enabled": name not in self.gone}).status_code == 200

    def clock(self, name, seconds):
        """It is so much later for this process than for others, within a second."""
        path = self.clocks / f"{name}.clock"
        new = path.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(path)
