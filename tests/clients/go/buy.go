// Signs in, buys two seats of a show together and pays them, by the client that oapi-codegen makes of schemas/openapi.yaml.
// Arguments: the URL, an e-mail and a password, the show. Prints the purchase, its status and that of the payment, and its seats.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/google/uuid"
	"github.com/oapi-codegen/runtime/types"

	"onsale/clients/onsale"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	credentials := onsale.Credentials{Email: os.Args[2], Password: os.Args[3]}
	stranger := must(onsale.NewClientWithResponses(os.Args[1]))
	signedIn := must(stranger.SignInWithResponse(ctx, nil, credentials))
	token := signedIn.HTTPResponse.Cookies()[0].Value
	client := must(onsale.NewClientWithResponses(os.Args[1], onsale.WithRequestEditorFn(func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	})))

	var wanted onsale.NewPurchase
	if err := wanted.FromPlacesOfShow(onsale.PlacesOfShow{ShowId: types.UUID(uuid.MustParse(os.Args[4])), Quantity: 2}); err != nil {
		panic(err)
	}
	key := uuid.NewString()
	purchase := must(client.CreatePurchaseWithResponse(ctx, &onsale.CreatePurchaseParams{IdempotencyKey: &key}, wanted)).JSON201
	var how onsale.NewPayment
	if err := how.FromPayPurchase(onsale.PayPurchase{PurchaseId: purchase.Id, Token: "pm_card_visa"}); err != nil {
		panic(err)
	}
	payment := must(client.CreatePaymentWithResponse(ctx, nil, how)).JSON201
	read := must(client.GetPurchaseWithResponse(ctx, purchase.Id)).JSON200
	fmt.Printf("%s\n%s\n%.2f\n%s\n", read.Id, payment.Status, read.Total, *read.Seats)
}
