"""The commands of ./onsale. Each is a function; COMMANDS below lists them."""
import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import xmlrpc.client

import again
import kafka_users
import processes
import tests
import tls_inside
from common import BUILD, DEV, Failed, UnknownWord, program, say, tail
from stack import Stack, build
from state import State


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody asked this process to end."""


def on_signal(number, frame):
    for each in STOPPING:
        signal.signal(each, lambda *_: None)  # once is enough: stopping is under way
    raise Stopped(number)


def the_running_stack():
    stack = Stack(State())
    if not stack.supervisor.running():
        raise Failed("nothing runs; start it by ./onsale run")
    stack.leave_out_unknown()
    return stack


# --- run, stop, restart, reset ---

def run(options):
    stack = Stack(State())
    stack.state.create()
    stack.state.lock(wait=True)
    return again.run(stack, options) if stack.supervisor.running() else start(stack, options)


def start(stack, options):
    state = stack.state
    stack.analytics = options.analytics or options.lake
    state.lake = options.lake or (state.lake and options.analytics)  # Connect remembers its connectors
    if (state.dir / "data" / processes.KAFKA).exists() and options.brokers not in (None, state.brokers):
        raise Failed(f"the data here is of {state.brokers} broker(s), and their number stays; ./onsale reset forgets it")
    if (state.dir / "data" / processes.KAFKA).exists() and options.users and not state.users:
        raise Failed("the Kafka of the data here has no users, and that stays; ./onsale reset forgets it")
    state.brokers = options.brokers or state.brokers
    state.users = options.users or state.users
    state.tls_inside = options.tls_inside
    if os.environ.get("STRIPE_SECRET_KEY"):
        stack.leave_out(processes.SANDBOX)
    else:
        say("no STRIPE_SECRET_KEY is set: a sandbox of our own stands in for Stripe, and no money moves")
    for number in STOPPING:
        signal.signal(number, on_signal)
    try:
        stack.choose_ports(options.port)
        state.environment, state.foreground = {processes.CONNECT: processes.callers_lake()}, not options.detach
        state.save()
        supervisord = stack.start(options.hold, die_with_parent=not options.detach)
        state.unlock()
        print(again.where(stack), flush=True)
        print("./onsale stop ends it." if options.detach else "Ctrl-C stops it.", flush=True)
        if options.detach:
            return 0
        supervisord.wait()
        say("stopped from elsewhere")
        return 0
    except BaseException as reason:
        with contextlib.suppress(Failed, OSError):
            state.lock()  # so that a start waits for the end of this; but whatever else is at work on the stack, it is stopped
        if isinstance(reason, Stopped):
            say("stopping")
        stack.stop()
        if isinstance(reason, Stopped):
            return 0 if reason.args[0] == signal.SIGINT else 128 + reason.args[0]
        raise


def stop(options):
    stack = Stack(State())
    if not stack.supervisor.running():
        say("nothing runs")
        return 0
    stack.state.lock()
    stack.stop()
    return 0


def restart(options):
    stack = the_running_stack()
    stack.state.lock()
    known = [*stack.own, *stack.databases(), *processes.kafkas(stack.state), "registry", *stack.extras(), "edge"]
    if options.name and options.name not in known:
        raise UnknownWord(f"{options.name} is not part of what runs: {', '.join(known)}")
    build(stack.targets())
    names = [options.name] if options.name else stack.changed()
    for name in names:
        stack.restart(name)
        say(f"{name} is ready")
    if not names:
        say("nothing changed")
    return 0


def reset(options):
    state = State()
    if state.dir.exists():
        state.lock()
        Stack(state).stop()
        state.forget()
    say(f"nothing is left in {state.dir}")
    return 0


# --- looking ---

def memory_of(pid):
    """Resident memory in bytes."""
    try:
        with open(f"/proc/{pid}/status") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)
    except FileNotFoundError:
        return 0


def process_status(stack, process):
    info = stack.supervisor.info(process.name)
    return {"name": process.name, "pid": info["pid"], "state": stack.state_of(process), "port": process.port, "admin_port": process.admin_port,
            "memory": memory_of(info["pid"])}


def status(options):
    stack = Stack(State())
    running = stack.supervisor.running()
    if running:
        stack.leave_out_unknown()
    rows = [process_status(stack, p) for p in stack.processes().values()] if running else []
    if options.json:
        print(json.dumps(rows, indent=2))
    elif not running:
        say("nothing runs")
    else:
        line = "{:<18} {:>8}  {:<9} {:>5} {:>9}"
        print(line.format("NAME", "PID", "STATE", "PORT", "MEMORY"))
        for row in rows:
            print(line.format(row["name"], row["pid"] or "-", row["state"], row["port"] or row["admin_port"],
                              f"{row['memory'] / 2**20:.1f} MiB"))
    return 0 if running else 1


def logs(options):
    directory = State().dir / "log"
    files = {path.stem: path for path in sorted(directory.glob("*.log"))}
    if options.name and options.name not in files:
        raise UnknownWord(f"no log of {options.name}; there are {', '.join(files) or 'none'}")
    if options.follow:
        paths = [files[options.name]] if options.name else list(files.values())
        os.execv(program("tail"), ["tail", "-n", "20", "-F", *map(str, paths)])
    if options.name:
        print("\n".join(tail(files[options.name], 1000)))
    else:
        for name, path in files.items():
            print(f"== {name} ({path})", *tail(path, 20), sep="\n")
    return 0


def env(options):
    stack = the_running_stack()
    state, ports = stack.state, stack.state.ports
    values = {"ONSALE_URL": f"http://127.0.0.1:{ports['edge']}", "ONSALE_STATE": state.dir,
              "KAFKA_BROKERS": processes.brokers(state), **kafka_users.environment(state, kafka_users.ADMIN),
              "SCHEMA_REGISTRY_URL": processes.registry_url(state), "REGISTRY_API_URL": processes.registry_api_url(state),
              "POSTGRES_URL": processes.superuser_url(state, processes.POSTGRES)}
    for name in stack.own:
        prefix = name.upper().replace("-", "_")
        if name in ports:
            values[f"{prefix}_URL"] = f"{'http' if name == processes.SANDBOX else tls_inside.scheme(state)}://127.0.0.1:{ports[name]}"
        if processes.keeps_data(name):
            values[f"{prefix}_DATABASE_URL"] = processes.database_url(state, name)
            values[f"{prefix}_OWNER_DATABASE_URL"] = processes.owner_url(state, name)
            if processes.publishes(name):
                values[f"{prefix}_REPLICATION_DATABASE_URL"] = processes.replication_url(state, name)
            values[f"{prefix}_POSTGRES_URL"] = processes.superuser_url(state, processes.server_of(name))
        values[f"{prefix}_ADMIN_URL"] = f"http://127.0.0.1:{ports[f'{name}-admin']}"
    if stack.analytics:
        values |= processes.connect_urls(state)
    values |= tls_inside.caller_environment(state, tls_inside.EDGE)
    if processes.MAILBOX in ports:
        values["MAILBOX_URL"] = processes.mailbox_url(state)
    if processes.SANDBOX in stack.services:
        secrets = processes.sandbox_secrets(state)
        values |= {"STRIPE_SANDBOX_KEY": secrets["key"], "STRIPE_SANDBOX_WEBHOOK_SECRET": secrets["webhooks"]}
    for key, value in values.items():
        print(f"{key}={shlex.quote(str(value))}")  # for `eval "$(./onsale env)"`
    return 0


def token(options):
    state = State()
    state.create()
    build(["token"])
    signer = str(BUILD / "token")
    os.execv(signer, [signer, str(processes.session_key(state)), str(options.count)])  # whoever ends this command ends that


# --- the words ---

def usage(message):
    print(f"onsale: {message}\n{(DEV / 'usage.txt').read_text()}", end="", file=sys.stderr)
    return os.EX_USAGE


class Parser(argparse.ArgumentParser):
    def error(self, message):
        sys.exit(usage(message))


def number(least, most):
    def parse(text):
        if not (text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"not a number from {least} to {most}: {text}")
        return int(text)
    return parse


def parser():
    main = Parser(add_help=False, allow_abbrev=False)
    commands = main.add_subparsers(dest="command", required=True, parser_class=Parser)

    def command(function, name=None):
        word = commands.add_parser(name or function.__name__, add_help=False, allow_abbrev=False)
        word.set_defaults(function=function)
        return word

    word = command(run)
    word.add_argument("--detach", action="store_true")
    word.add_argument("--port", type=number(1, 65535))
    word.add_argument("--hold", type=number(1, 86400))
    word.add_argument("--analytics", action="store_true")
    word.add_argument("--lake", action="store_true")
    word.add_argument("--brokers", type=int, choices=(1, 3))
    word.add_argument("--users", action="store_true")
    word.add_argument("--tls-inside", action="store_true")
    command(stop)
    command(status).add_argument("--json", action="store_true")
    word = command(logs)
    word.add_argument("-f", "--follow", action="store_true")
    word.add_argument("name", nargs="?")
    command(restart).add_argument("name", nargs="?")
    command(env)
    command(token).add_argument("count", nargs="?", type=number(1, 10_000_000), default=1)
    command(reset)
    word = command(tests.test)
    word.add_argument("name", nargs="*")
    word.add_argument("--minutes", type=number(1, 10_000))
    word.add_argument("--seed", type=number(0, 10 ** 9))
    word.add_argument("--brokers", type=int, choices=(1, 3))
    word.add_argument("--replicas", type=number(1, 3))
    word.add_argument("--from", dest="revision")
    word = command(tests.bench)
    word.add_argument("--here", action="store_true")
    word.add_argument("name", nargs="?")
    return main


def main():
    options = parser().parse_args()
    try:
        code = options.function(options)
        sys.stdout.flush()
        return code
    except UnknownWord as failed:
        return usage(failed)
    except Failed as failed:
        say(failed)
        return 1
    except xmlrpc.client.Fault as fault:
        say(f"supervisord: {fault.faultString}")
        return 1
    except subprocess.CalledProcessError as failed:
        say(f"failed: {' '.join(map(str, failed.cmd))}")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


sys.exit(main())
