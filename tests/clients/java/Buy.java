// Signs in, buys two seats of a show together and pays them, by the client that OpenAPI Generator makes of schemas/openapi.yaml.
// Arguments: the URL, an e-mail and a password, the show. Prints the purchase, its status and that of the payment, and its seats.
import java.util.UUID;
import org.openapitools.client.ApiClient;
import org.openapitools.client.api.OrdersApi;
import org.openapitools.client.api.PaymentsApi;
import org.openapitools.client.api.UsersApi;
import org.openapitools.client.model.Credentials;
import org.openapitools.client.model.NewPayment;
import org.openapitools.client.model.NewPurchase;
import org.openapitools.client.model.PayPurchase;
import org.openapitools.client.model.Payment;
import org.openapitools.client.model.PlacesOfShow;
import org.openapitools.client.model.Purchase;

public class Buy {
    public static void main(String[] args) throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(args[0]);
        Credentials credentials = new Credentials().email(args[1]).password(args[2]);
        String cookie = new UsersApi(client).signInWithHttpInfo(credentials, null).getHeaders().get("set-cookie").get(0);
        String token = cookie.substring(cookie.indexOf('=') + 1, cookie.indexOf(';'));
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));

        OrdersApi orders = new OrdersApi(client);
        NewPurchase wanted = new NewPurchase(new PlacesOfShow().showId(UUID.fromString(args[3])).quantity(2));
        Purchase purchase = orders.createPurchase(wanted, UUID.randomUUID().toString());
        NewPayment how = new NewPayment(new PayPurchase().purchaseId(purchase.getId()).token("pm_card_visa"));
        Payment payment = new PaymentsApi(client).createPayment(how, UUID.randomUUID().toString());
        Purchase read = orders.getPurchase(purchase.getId());
        System.out.printf("%s\n%s\n%.2f\n%s\n", read.getId(), payment.getStatus(), read.getTotal(), read.getSeats());
    }
}
