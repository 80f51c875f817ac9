"""Signs in, buys two seats of a show together and pays them, by the client that openapi-python-client makes of schemas/openapi.yaml.
Arguments: the URL, an e-mail and a password, the show. Prints the purchase, its status and that of the payment, and its seats."""
import sys
import uuid

from onsale import AuthenticatedClient, Client
from onsale.api.orders import create_purchase, get_purchase
from onsale.api.payments import create_payment
from onsale.api.users import sign_in
from onsale.models import Credentials, PayPurchase, PlacesOfShow

url, email, password, show = sys.argv[1:]
signed_in = sign_in.sync_detailed(client=Client(base_url=url), body=Credentials(email=email, password=password))
token = signed_in.headers["set-cookie"].split(";")[0].partition("=")[2]
client = AuthenticatedClient(base_url=url, token=token)

purchase = create_purchase.sync(client=client, body=PlacesOfShow(show_id=uuid.UUID(show), quantity=2), idempotency_key=str(uuid.uuid4()))
payment = create_payment.sync(client=client, body=PayPurchase(purchase_id=purchase.id, token="pm_card_visa"))
read = get_purchase.sync(purchase.id, client=client)
print(read.id, payment.status.value, f"{read.total:.2f}", read.seats, sep="\n")
