"""What happened to a ticket, from the evidence of a failure: requests, events and deeds in the order of their times."""
import datetime
import json
import re

MOST = 80  # lines
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def events(evidence):
    """(microseconds, topic, event)"""
    for path in sorted(evidence.glob("topic-*.jsonl")):
        topic = path.stem.removeprefix("topic-")
        for line in open(path):
            event = json.loads(line)
            yield event["written"] * 1000, topic, event


def ticket_of(text, history, told):
    """The first that the failure names, by itself or by an order or charge of it."""
    tickets = {}
    for _, topic, event in told:
        if "id" in event:
            tickets[event["id"]] = event["id"] if topic == "tickets" else event["ticketId"]
    for entry in history.requests():
        if entry.get("order") and entry.get("ticket"):
            tickets[entry["order"]] = entry["ticket"]
        if entry.get("ticket"):
            tickets[entry["ticket"]] = entry["ticket"]
    return next((tickets[found] for found in UUID.findall(text) if found in tickets), None)


def tell(failure, history, evidence):
    told = list(events(evidence))
    ticket = ticket_of(failure, history, told)
    if ticket is None:
        return
    lines = [(e["start"], f"{e['who']}: {e['do']} {e.get('order', '')} -> {e['status']} {str(e['answer'])[:100]} (until {clock(e['end'])})")
             for e in history.requests() if e.get("ticket") == ticket]
    lines += [(at, f"{topic}: {e.get('type')} {e.get('id') or e.get('orderId')} {e.get('version', '')} {e.get('status', '')} {e.get('reason') or ''}")
              for at, topic, e in told if ticket in (e.get("ticketId"), e.get("id"))]
    begin, end = min(at for at, _ in lines), max(at for at, _ in lines)
    lines += [(e["start"], f"* {e['deed']} (until {clock(e['end'])})") for e in history.of("deed") if e["end"] >= begin and e["start"] <= end]
    lines.sort()
    print(f"\nThe story of ticket {ticket}:" + (f" (the last {MOST} of {len(lines)} lines)" if len(lines) > MOST else ""))
    for at, what in lines[-MOST:]:
        print(f"{clock(at)}  {what}")


def clock(at):
    return datetime.datetime.fromtimestamp(at / 1e6).strftime("%H:%M:%S.%f")[:-3]
