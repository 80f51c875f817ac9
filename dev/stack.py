"""Starting and stopping a whole stack, in the order in which its processes need each other."""
import concurrent.futures
import os
import subprocess
import threading
import time

import archives
import fetch
import kafka_users
import processes
from common import BUILD, PRESET, ROOT, Failed, lock_or_wait, program, say, tail
from supervisor import Supervisor

START_SECONDS = 180  # of one step, on a cold and busy machine; a warm one takes a few
PATIENCE_SECONDS = 10  # without a word


class Stack:
    def __init__(self, state):
        self.state = state
        self.supervisor = Supervisor(state)
        self.services = processes.found("services")
        self.own = self.services + processes.found("streams")
        self.analytics = False  # Connect and the warehouse, too
        self._cancelled = threading.Event()

    # --- what it consists of ---

    def choose_ports(self, edge_port):
        self.state.claim_block()
        self.state.choose_port("edge", edge_port)
        self._choose_mailbox()
        kafkas = processes.kafkas(self.state)
        connect = [processes.CONNECT] if self.analytics else []
        for name in (*self.databases(), *kafkas, *map(processes.controller_port, kafkas), "registry", *connect, *self.apis(),
                     *(f"{n}-admin" for n in self.own)):
            self.state.choose_port(name)

    def extras(self):
        mailbox = [processes.MAILBOX] if processes.MAILBOX in self.state.ports else []
        return [*mailbox, *([processes.CONNECT] if self.analytics else [])]

    def _choose_mailbox(self):
        """Letters go there, unless the caller named another server."""
        for name in (processes.MAILBOX, processes.MAILBOX_PAGE):
            if "mail" in self.own and not os.environ.get("SMTP_URL"):
                self.state.choose_port(name)
            else:
                self.state.ports.pop(name, None)

    def apis(self):
        """Which of our processes have one."""
        return [name for name in self.own if processes.has_api(name)]

    def databases(self):
        return processes.servers(self.services)

    def processes(self):
        """By name, each after those it needs."""
        ground = [*(processes.postgres(self.state, name) for name in self.databases()),
                  *(processes.kafka(self.state, name) for name in processes.kafkas(self.state)), processes.registry(self.state)]
        if processes.MAILBOX in self.state.ports:
            ground.append(processes.mailbox(self.state))
        if self.analytics:
            ground.append(processes.connect(self.state))
        own = [processes.own(self.state, name) for name in self.own]
        return {p.name: p for p in (*ground, *own, processes.edge_server(self.state))}

    def leave_out(self, name):
        self.services, self.own = ([n for n in names if n != name] for names in (self.services, self.own))

    def leave_out_unknown(self):
        """A service that came into the checkout since the stack was started is not part of it; nor is what nobody asked for."""
        known = self.supervisor.names()
        self.analytics = processes.CONNECT in known
        self.services, self.own = ([n for n in names if n in known] for names in (self.services, self.own))

    def targets(self):
        """What a stack needs built: not the tests."""
        return [*self.own, "topics", "rights", "token"]

    def state_of(self, process):
        """As supervisord says, or, of one that runs, whether it is ready."""
        state = self.supervisor.info(process.name)["statename"]
        if state in ("STARTING", "RUNNING"):
            return "ready" if process.ready() else "starting"
        return state.lower()

    def not_ready(self):
        """{name: state}"""
        states = {process.name: self.state_of(process) for process in self.processes().values()}
        return {name: state for name, state in states.items() if state != "ready"}

    # --- starting ---

    def start(self, hold, die_with_parent):
        """Returns supervisord's process when everything is ready. After a failure, stop() ends what was started."""
        fetch.fetch_jars()
        archives.make(processes.java_alone)
        if self.analytics:
            fetch.fetch_plugins()
        if self.state.lake:
            fetch.fetch_lake_plugins()
        child = self.supervisor.launch(self.processes().values(), self.state.claim, die_with_parent)
        self.complete(hold)
        return child

    def complete(self, hold):
        """Starts what does not run, each process after those it needs, and returns when everything is ready. What runs is left alone."""
        table = self.processes()
        run = self.supervisor.settle(table)
        self.supervisor.stop([name for name in table if name not in run])  # what keeps dying has no more tries
        new = [name for name in self.own if name not in run]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            try:
                ground = [pool.submit(self._start_databases, table), pool.submit(self._start_kafka, table)]
                if new:
                    build(self.targets())
                for name in new:
                    self.state.environment.setdefault(name, {}).update(processes.callers_settings(name, hold))
                self.state.save()
                for task in ground:
                    task.result()
                if new:
                    self.create_topics()
                if self.analytics:
                    self._start_connect(table[processes.CONNECT])
            except BaseException:
                self._cancelled.set()
                raise
        if processes.MAILBOX in table:
            self._start(table[processes.MAILBOX])
        for name in self.own:
            self._start_own(table[name])
        processes.prepare_edge(self.state, self.apis())
        self._start(table["edge"])
        self.await_ready([table[name] for name in (*self.own, "edge", *self.extras())])
        if self.analytics:
            processes.apply_sinks(self.state)

    def add_analytics(self):
        """To a stack that runs; complete() starts it."""
        fetch.fetch_plugins()
        self.analytics = True
        self.state.choose_port(processes.CONNECT)
        self.state.save()
        self.supervisor.add(self.processes().values(), processes.CONNECT)

    def _start_databases(self, table):
        servers = [table[name] for name in self.databases()]
        processes.prepare_postgres(self.state, self.databases())
        for server in servers:
            self._start(server)
        self.await_ready(servers)
        warehouse = [processes.WAREHOUSE] if self.analytics else []
        for server in servers:
            processes.create_databases(self.state, server.name, ["registry", *warehouse, *filter(processes.keeps_data, self.services)])
        self._start(table["registry"])
        self.await_ready([table["registry"]])

    def _start_kafka(self, table):
        processes.prepare_kafka(self.state)
        kafkas = [table[name] for name in processes.kafkas(self.state)]
        for kafka in kafkas:
            self._start(kafka)
        self.await_ready(kafkas)

    def create_topics(self):
        if self.state.users:
            kafka_users.give_rights(self.state, processes.kafka_environment(self.state, kafka_users.ADMIN))
        done = subprocess.run([BUILD / "topics", ROOT / "schemas/avro/topics.json"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=processes.kafka_environment(self.state, "topics"))
        if done.returncode != 0:
            raise Failed(f"the topics could not be created:\n{done.stdout}")

    def _start_connect(self, process):
        processes.prepare_connect(self.state)
        self._start(process)

    def _start(self, process):
        if self._cancelled.is_set():
            raise Failed("given up")
        if not self.supervisor.runs(process.name):
            self.supervisor.start(process)

    def _start_own(self, process):
        if self.supervisor.runs(process.name):
            return
        process.environment = processes.own_environment(self.state, process.name)
        if process.name in self.services:
            owner = processes.owner_environment(process.name, process.environment)
            done = subprocess.run([*process.command, "migrate"], env={k: str(v) for k, v in (process.environment | owner).items()},
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode != 0:
                raise Failed(f"{process.name} migrate failed:\n{done.stdout}")
        self.supervisor.start(process)

    def await_ready(self, wanted):
        """Until all are ready. One that dies at its start is a failure at once; only Postgres may need another try: after a
        kill -9 what is left of the old server has to end first."""
        begin = time.monotonic()
        left, silent = list(wanted), True
        while left:
            states = self.supervisor.states()
            for process in left:
                state = states[process.name]
                if state == "FATAL" or (state == "BACKOFF" and process.name not in self.databases()) or time.monotonic() > begin + START_SECONDS:
                    raise Failed(_not_ready(process))
            if self._cancelled.is_set():
                raise Failed("given up")
            left = [p for p in left if not p.ready()]
            if left and silent and time.monotonic() > begin + PATIENCE_SECONDS:
                say(f"still waiting for {', '.join(p.name for p in left)} (./onsale logs shows what they do)")
                silent = False
            if left:  # each look takes time from what is waited for
                time.sleep(min(max(0.05, (time.monotonic() - begin) / 20), 0.25))

    # --- changing one ---

    def restart(self, name):
        process = self.processes()[name]
        self.supervisor.stop([name])
        if name in self.own:
            self.state.environment.setdefault(name, {}).update(processes.callers_settings(name))
            self._start_own(process)
        elif name == processes.CONNECT:
            self._start_connect(process)
        else:
            if name == "edge":
                processes.prepare_edge(self.state, self.apis())
            self._start(process)
        self.await_ready([process])
        if name == processes.CONNECT:
            say(processes.apply_sinks(self.state).strip())
        self.state.save()  # only settings that it starts with are remembered

    def changed(self):
        """Which of our processes run another file than the one that is built now."""
        return [name for name in self.own if not _runs(self.supervisor.info(name)["pid"], BUILD / name)]

    def is_of_another_build(self, name):
        """Than this command's: its file is, or was, in another directory under build/."""
        try:
            file = os.readlink(f"/proc/{self.supervisor.info(name)['pid']}/exe")
        except FileNotFoundError:
            return False
        return file.startswith(os.path.realpath(BUILD.parent) + "/") and not file.startswith(os.path.realpath(BUILD) + "/")

    # --- stopping ---

    def stop(self):
        """Each kind of process before what it needs."""
        if self.supervisor.running():
            databases = [name for name in self.supervisor.names() if name.startswith(processes.POSTGRES)]
            kafkas = processes.kafkas(self.state)
            ground = ["registry", *kafkas, *databases]
            self.supervisor.stop([name for name in self.supervisor.names() if name not in ground])
            self.supervisor.stop(["registry", *kafkas])
            self.supervisor.stop(databases)
            self.supervisor.shutdown()


def _not_ready(process):
    status, says = processes.get(process.admin_port, "/readyz") if process.admin_port else (0, "")
    says = f": {says}" if status else ""
    last = "\n".join(f"    {line}" for line in tail(process.log, 15))
    return f"{process.name} did not become ready{says}\nThe last lines of {process.log}:\n{last}"


def _runs(pid, file):
    try:
        running, built = os.stat(f"/proc/{pid}/exe"), os.stat(file)
    except FileNotFoundError:
        return False
    return (running.st_dev, running.st_ino) == (built.st_dev, built.st_ino)


def build(targets=(), preset=PRESET):
    """By CMake, into build/PRESET. One at a time: tests may run stacks of the same checkout side by side."""
    directory = ROOT / "build" / preset
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "onsale.lock", "w") as lock:
        lock_or_wait(lock, f"makes {directory}")
        if not (directory / "build.ninja").exists():
            _build_step(ROOT, "cmake", "--preset", preset, "--log-level=NOTICE")
        _build_step(directory, "ninja", *targets)


def _build_step(directory, name, *arguments):
    # Paths below the checkout count as relative: another checkout has use of what was compiled in this one.
    environment = {**os.environ, "CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "true"}
    done = subprocess.run([program(name), *arguments], cwd=directory, stdin=subprocess.DEVNULL, stdout=2, env=environment)
    if done.returncode != 0:
        raise Failed(f"the build failed, as said above ({' '.join([name, *arguments])} in {directory})")
