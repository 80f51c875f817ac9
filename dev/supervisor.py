"""Debian's supervisord: one private instance a stack, spoken to by XML-RPC over its Unix socket.

It starts what died again, with back-off. It does not carry the processes' output: each writes to its own file.
"""
import contextlib
import ctypes
import http.client
import os
import shlex
import signal
import socket
import subprocess
import time
import xmlrpc.client

from common import Failed, program

CONFIG = """\
[supervisord]
nodaemon=true
silent=true
logfile={dir}/log/supervisord.log
pidfile={dir}/run/supervisord.pid
childlogdir={dir}/log
umask=022

[unix_http_server]
file={dir}/run/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
PROGRAM = """
[program:{name}]
command=/bin/sh {script}
autostart=false
autorestart=true
startsecs=1
startretries=1000000
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
killasgroup=true
stdout_logfile=NONE
stderr_logfile=NONE
priority={priority}
"""
# Descriptor 9 keeps supervisord's pipe open although nothing is written to it: its end is how supervisord learns of a death
# at once and not at its next look a second later. The log starts anew when it has grown over 64 MiB.
SCRIPT = """\
#!/bin/sh
# Made by onsale: runs {name}.
log={log}
if [ "$(stat -c %s "$log" 2>/dev/null || echo 0)" -gt 67108864 ]; then mv "$log" "$log.1"; fi
exec 9>&1 >>"$log" 2>&1
ulimit -Sn "$(ulimit -Hn)" # a descriptor a connection, and thousands connect
cd {directory}
{exports}
exec {command}
"""
PR_SET_PDEATHSIG = 1
ALREADY_STARTED = 60  # of supervisord's faults
SETTLED_SECONDS = 5  # for the one second that a start takes, on a busy machine


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path):
        super().__init__()
        self._path = path

    def make_connection(self, host):
        return _Connection(self._path)


class Supervisor:
    def __init__(self, state):
        self.state = state

    @property
    def _rpc(self):  # a connection a call, so that any thread may call
        return xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(str(self.state.socket))).supervisor

    def running(self):
        while True:
            try:
                return self._rpc.getState()["statename"] == "RUNNING"
            except (OSError, http.client.HTTPException):
                return False
            except xmlrpc.client.Fault:  # it is ending, because the command that started it was killed: wait for it
                time.sleep(0.05)

    def pid(self):
        return self._rpc.getPID()

    def launch(self, processes, claim, die_with_parent):
        """Starts supervisord, which starts nothing by itself. In this order processes depend on each other.
        claim: what it has to have for as long as it lives.
        die_with_parent: it stops everything when this process ends, however it ends."""
        self._configure(processes)

        libc = ctypes.CDLL(None)

        def before_exec():
            if die_with_parent:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

        # A small environment of its own: what processes get is in their scripts.
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": os.path.expanduser("~")}
        with open(self.state.dir / "log/supervisord.out", "w") as out:
            child = subprocess.Popen([program("supervisord"), "-c", str(self._config)], env=environment, cwd=self.state.dir,
                                     stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                     pass_fds=[claim.fileno()], preexec_fn=before_exec)  # noqa: PLW1509 -- there are no threads yet
        try:
            deadline = time.monotonic() + 20
            while not self.running():
                if child.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"supervisord did not start; see {out.name}")
                time.sleep(0.02)
        except BaseException:
            child.terminate()
            raise
        return child

    def add(self, processes, name):
        """One more process, for a supervisord that runs; of the others, only their order at a shutdown changes."""
        self._configure(processes)
        self._rpc.reloadConfig()
        self._rpc.addProcessGroup(name)

    def _configure(self, processes):
        text = CONFIG.format(dir=_escape(self.state.dir))
        for priority, process in enumerate(processes):
            text += PROGRAM.format(name=process.name, script=_escape(shlex.quote(str(self._script(process)))), priority=priority,
                                   stop_signal=process.stop_signal, stop_seconds=process.stop_seconds)
        self._config.write_text(text)

    @property
    def _config(self):
        return self.state.dir / "run/supervisord.conf"

    def _script(self, process):
        return self.state.dir / "run" / f"{process.name}.sh"

    def write_script(self, process):
        """What supervisord runs for process: one file that says its environment and its command."""
        # The death signal ends it even when supervisord itself is killed.
        command = [program("setpriv"), "--pdeathsig", process.stop_signal]
        if process.user:
            command += ["--reuid", process.user, "--regid", process.user, "--init-groups"]
        exports = "\n".join(f"export {name}={shlex.quote(str(value))}" for name, value in process.environment.items())
        script = self._script(process)
        script.touch(mode=0o600)
        script.write_text(SCRIPT.format(
            name=process.name, log=shlex.quote(str(process.log)), directory=shlex.quote(str(process.directory)),
            exports=exports, command=shlex.join([*command, "--", *map(str, process.command)])))

    def names(self):
        """The processes it was launched with."""
        return [info["name"] for info in self._rpc.getAllProcessInfo()]

    def info(self, name):
        """{statename, pid, …} of a process."""
        return self._rpc.getProcessInfo(name)

    def states(self):
        """{name: statename} of all. One question, whoever waits for many: each takes a millisecond of both sides."""
        return {info["name"]: info["statename"] for info in self._rpc.getAllProcessInfo()}

    def runs(self, name):
        """For a second at least: one that keeps dying is not counted in between."""
        return self.info(name)["statename"] == "RUNNING"

    def settle(self, names):
        """Waits until each of these that was just started has run for that second, or died. Returns the names of those that run."""
        until = time.monotonic() + SETTLED_SECONDS
        while True:
            states = self.states()
            if time.monotonic() > until or not any(states[name] == "STARTING" for name in names):
                return {name for name in names if states[name] == "RUNNING"}
            time.sleep(0.05)

    def start(self, process):
        self.write_script(process)
        try:
            self._rpc.startProcess(process.name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:  # supervisord started it again just now
                raise

    def start_again(self, name):
        """One that was started before, as it was, and waits until it has run for a second. Nothing if it runs."""
        try:
            self._rpc.startProcess(name, True)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                raise

    def stop(self, names):
        """Stops these together and waits until they are gone. What has just died is started again: it is stopped then."""
        left, pause = list(names), 0.02
        while left:
            states = self.states()
            left = [name for name in left if states[name] not in ("STOPPED", "FATAL")]
            for name in left:
                if states[name] != "STOPPING":
                    with contextlib.suppress(xmlrpc.client.Fault):  # it is stopping now, or not yet up again
                        self._rpc.stopProcess(name, False)
            if left:
                time.sleep(pause)
                pause = min(1.2 * pause, 0.2)

    def shutdown(self):
        """Ends supervisord (and with it whatever still runs) and waits until it is gone."""
        pid = self.pid()
        self._rpc.shutdown()
        while os.path.exists(f"/proc/{pid}"):
            with contextlib.suppress(ChildProcessError):  # another command started it
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.02)


def _escape(path):
    return str(path).replace("%", "%%")
