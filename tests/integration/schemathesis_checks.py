"""Loaded by schemathesis: what the contract says beyond a single request and its answer."""
import schemathesis

# Bodies of requests that follow others, for which generators of clients have no words.
BODIES = {"Buy": {"ticketId": "$response.body#/0/id"}, "Pay": {"orderId": "$response.body#/id", "token": "pm_card_visa"}, "SignIn": "$request.body"}
CANCELS = {"cancelTicket": "/api/tickets/{id}", "cancelOrder": "/api/orders/{id}", "cancelShow": "/api/shows/{id}",
           "cancelPurchase": "/api/purchases/{id}"}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """The links that need a body get it."""
    answers = [answer for item in raw_schema["paths"].values() for operation in item.values() if isinstance(operation, dict)
               for answer in operation["responses"].values()]
    for answer in [*answers, *raw_schema["components"]["responses"].values()]:
        for name, link in answer.get("links", {}).items():
            if name in BODIES:
                link["requestBody"] = BODIES[name]


@schemathesis.check
def stays_readable(ctx, response, case):
    """What was withdrawn or cancelled can still be read, by whoever did so, with that status."""
    path = CANCELS.get(case.operation.definition.raw.get("operationId"))
    if path is None or response.status_code != 204:
        return
    session = {name: value for name, value in response.request.headers.items() if name.lower() in ("authorization", "cookie")}
    read = case.operation.schema[path]["GET"].Case(path_parameters=case.path_parameters, headers=session).call(timeout=20)
    assert read.status_code == 200, f"{read.status_code} {read.text}"
    assert read.json()["status"] == "cancelled", read.text
