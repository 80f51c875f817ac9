"""./onsale run where the stack runs already: nothing is started twice, and what runs is left alone. What is missing is started; what
takes a new start is not done, but said."""
import copy
import os
import shlex

import processes
from common import BUILD, PRESET, Failed, say

WHAT_TO_TRY = """\
{url}

Open it in a browser. Or, without:

  curl --json '{{"email":"me@example.com","password":"correct horse"}}' {url}/api/users/signup
  curl -c /tmp/me --json '{{"email":"me@example.com","password":"correct horse"}}' {url}/api/users/signin
  curl -b /tmp/me --json '{{"title":"A seat in row 1","price":"20.00"}}' {url}/api/tickets
  curl {url}/api/tickets
"""


WHAT_TO_ASK = """\
The warehouse follows the topics. What it can tell is in connect/README.md; for a start:

  eval "$(./onsale env)"
  psql $WAREHOUSE_DATABASE_URL -c 'select * from sales_by_minute'
"""

THE_LAKE = """\
So does the lake, some seconds later. In an environment of Python's that has examples/requirements.txt:

  eval "$(./onsale env)"; export WAREHOUSE_DATABASE_URL
  examples/lake.py 'select type, count(*) from order_events group by type'
"""


def url(stack):
    return f"http://127.0.0.1:{stack.state.ports['edge']}"


def where(stack):
    letters = f"\nLetters to its users: {processes.mailbox_url(stack.state)}\n" if processes.MAILBOX in stack.state.ports else ""
    return WHAT_TO_TRY.format(url=url(stack)) + letters + (f"\n{WHAT_TO_ASK}" if stack.analytics else "") + (
        f"\n{THE_LAKE}" if stack.state.lake else "")


def run(stack, options):
    """Under the stack's lock."""
    stack.leave_out_unknown()
    missing = stack.not_ready()
    found = f"this stack is already up, at {url(stack)}"
    if missing:
        found = f"this stack runs, at {url(stack)}, but not all of it is up: " + ", ".join(f"{n} ({state})" for n, state in missing.items())
    adds = options.analytics and not stack.analytics
    if not options.detach:
        word, does = " --analytics" if adds else "", "starts what is missing" if missing or adds else "says what to try"
        raise Failed(f"{found}\n./onsale run --detach{word} {does}; to have it in this terminal:\n  {what_to_type(stack, options)}")
    others = other_settings(stack, options)
    if others:
        raise Failed(f"{found}\nIt has other settings than these: {', '.join(others)}; nothing was changed. To change them:\n"
                     f"  {what_to_type(stack, options)}")
    say(found)
    if adds:
        say("adding Kafka Connect and the warehouse")
        stack.add_analytics()
    complete(stack, options.hold)
    print(where(stack))
    ends = "Ctrl-C in the terminal where it was started, or ./onsale stop, ends it." if stack.state.foreground else "./onsale stop ends it."
    print(f"./onsale restart builds what changed and restarts it. {ends}")
    return 0


def complete(stack, hold):
    before = copy.deepcopy(stack.state.environment)
    try:
        stack.complete(hold)
    except BaseException:
        stack.state.environment = before  # only settings that something starts with are remembered
        stack.state.save()
        raise


# --- what it runs with, and what was asked for ---

def running(stack):
    """Those of our processes that run, and can say what their settings are. The others take the caller's when they are started."""
    return [name for name in stack.own if stack.supervisor.runs(name) and (BUILD / name).exists()]


def other_settings(stack, options):
    """What was asked for, and differs: as it was asked for, and what there is. What was not asked for stays."""
    found = {}
    if options.brokers not in (None, stack.state.brokers):
        found["--brokers"] = f"--brokers {options.brokers} (it has {stack.state.brokers}; ./onsale reset comes first)"
    if options.users and not stack.state.users:
        found["--users"] = "--users (its Kafka has none; ./onsale reset comes first)"
    if options.tls_inside and not stack.state.tls_inside:
        found["--tls-inside"] = "--tls-inside (it has none)"
    if options.lake and not stack.state.lake:
        found["--lake"] = "--lake (its Connect has none)"
    if options.port not in (None, stack.state.ports["edge"]):
        found["--port"] = f"--port {options.port} (it has {stack.state.ports['edge']})"
    if os.environ.get("ONSALE_PRESET") and any(map(stack.is_of_another_build, stack.own)):
        found["ONSALE_PRESET"] = f"{shown('ONSALE_PRESET', PRESET)} (it runs another build)"
    for name in running(stack):
        has = processes.settings(name) | processes.own_environment(stack.state, name)
        for key, value in processes.callers_settings(name, options.hold).items():
            if str(has.get(key)) != value:
                found[key] = f"{shown(key, value)} (it has {'another' if secret(key) else has.get(key, 'none')})"
    return list(found.values())


def what_to_type(stack, options):
    """For a new start with all that it has now, and what was asked for."""
    settings = {"ONSALE_PRESET": PRESET} if os.environ.get("ONSALE_PRESET") else {}
    for name in [*stack.own, processes.CONNECT]:
        settings |= stack.state.environment.get(name, {})
    for name in running(stack):
        settings |= processes.callers_settings(name, options.hold)
    hold = settings.pop("HOLD_SECONDS", None)
    words = ["./onsale stop &&", *(shown(key, value) for key, value in settings.items()), "./onsale run"]
    words += ["--detach"] if options.detach else []
    words += [f"--port {options.port}"] if options.port else []
    words += [f"--hold {hold}"] if hold else []
    words += ["--users"] if options.users else []
    words += ["--tls-inside"] if options.tls_inside or stack.state.tls_inside else []
    lake = options.lake or stack.state.lake
    words += ["--lake"] if lake else ["--analytics"] if options.analytics or stack.analytics else []
    return " ".join(words)


def secret(key):
    return any(word in key for word in ("SECRET", "PASSWORD", "KEY"))


def shown(key, value):
    """For a terminal: secrets are left out."""
    return f"{key}={'...' if secret(key) else shlex.quote(value)}"
