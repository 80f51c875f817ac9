"""What a change of an Avro schema breaks, in words that name the field."""

WIDER = {("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"), ("float", "double"),
         ("string", "bytes"), ("bytes", "string")}


def _branches(kind):
    return kind if isinstance(kind, list) else [kind]


def _name(kind):
    return kind["type"] if isinstance(kind, dict) else kind


def _unread(kind, reader):
    """Why what was written as `kind` (no union) cannot be read as `reader`; None when it can."""
    reasons = []
    for wanted in _branches(reader):
        if _name(kind) == _name(wanted):
            lost = [s for s in kind["symbols"] if s not in wanted["symbols"]] if _name(kind) == "enum" and "default" not in wanted else []
            if not lost:
                return None
            reasons.append(f"lost the symbol {', '.join(lost)}")
        elif (_name(kind), _name(wanted)) in WIDER:
            return None
    return reasons[0] if reasons else f"was {_name(kind)}, and is {' or '.join(_name(w) for w in _branches(reader))}"


def breaks(old, new):
    """The reasons for which `new` may not follow `old`: records written before could not be read any more, or what reads by `old`
    would miss a field. Both are records."""
    before, found = {f["name"]: f for f in old["fields"]}, []
    if old["name"] != new["name"] or old.get("namespace") != new.get("namespace"):
        found.append(f"the record was called {old['name']}, and is called {new['name']}")
    taken = set()
    for field in new["fields"]:
        name = field["name"]
        former = next((before[n] for n in [name, *field.get("aliases", [])] if n in before), None)
        if former is None:
            if "default" not in field:
                found.append(f"{name}: new, and without a default: records written before cannot be read")
            continue
        taken.add(former["name"])
        for kind in _branches(former["type"]):
            reason = _unread(kind, field["type"])
            if reason:
                found.append(f"{name}: {reason}")
    for name, field in before.items():
        if name not in taken and "default" not in field:
            found.append(f"{name}: gone, and had no default: who reads by the schema of before cannot read new records")
    return found
