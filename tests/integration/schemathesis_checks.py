"""Loaded by schemathesis: what the contract says beyond a single request and its answer."""
import schemathesis

CANCELS = {"cancelTicket": "/api/tickets/{id}", "cancelOrder": "/api/orders/{id}", "cancelShow": "/api/shows/{id}"}


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
