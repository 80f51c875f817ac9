// Signs in, buys two seats of a show together and pays them, by openapi-fetch with the types that openapi-typescript makes of
// schemas/openapi.yaml. Arguments: the URL, an e-mail and a password, the show. Prints the purchase, its status and that of the payment, and its seats.
import createClient from "openapi-fetch";
import type { paths } from "./onsale.js";

declare const process: { argv: string[] };

function sound<T>(answer: { data?: T; error?: unknown }): T {
    if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
    return answer.data;
}

const [baseUrl, email, password, showId] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl });
const signedIn = await client.POST("/api/users/signin", { body: { email, password } });
const token = signedIn.response.headers.getSetCookie()[0].replace(/^[^=]*=|;.*/g, "");
client.use({
    onRequest({ request }) {
        request.headers.set("Authorization", `Bearer ${token}`);
        return request;
    },
});

const purchase = sound(await client.POST("/api/purchases", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { showId, quantity: 2 },
}));
const payment = sound(await client.POST("/api/payments", { body: { purchaseId: purchase.id, token: "pm_card_visa" } }));
const read = sound(await client.GET("/api/purchases/{id}", { params: { path: { id: purchase.id } } }));
console.log([read.id, payment.status, read.total.toFixed(2), read.seats].join("\n"));
