package e2e

import (
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"

	"parley.sh/hack/local/stack"
	inventory "parley.sh/services/inventory/client"
	"parley.sh/services/order/client"
)

func newKey() string { return uuid.NewString() }

// good is an order of something that there is plenty of.
func good(customer string) client.PlaceOrder {
	return client.PlaceOrder{
		CustomerID: customer,
		Items:      []client.PlaceItem{{ProductID: "bulk-001", Quantity: 1}},
		Payment:    client.PlacePayment{Token: "tok_ok"},
		Shipping:   client.Shipping{Level: client.Express},
	}
}

func api(t *testing.T, replica string) *client.ClientWithResponses {
	t.Helper()
	c, err := client.NewClientWithResponses(platform.URL(replica), client.WithHTTPClient(http.DefaultClient))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// place sends a POST to a replica.
func place(t *testing.T, replica string, o client.PlaceOrder, key string) (status int, id string) {
	t.Helper()
	answer, err := api(t, replica).PlaceOrderWithResponse(t.Context(), &client.PlaceOrderParams{IdempotencyKey: key}, o)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	if answer.JSON202 != nil {
		id = answer.JSON202.ID.String()
	}
	return answer.StatusCode(), id
}

func get(t *testing.T, id string) client.Order {
	t.Helper()
	answer, err := api(t, stack.Order).GetOrderWithResponse(t.Context(), uuid.MustParse(id))
	if err != nil || answer.JSON200 == nil {
		return client.Order{}
	}
	return answer.JSON200.Order
}

// TestEqualPosts sends one order 50 times at once, to two replicas, for the last
// piece of a product.
func TestEqualPosts(t *testing.T) {
	c, err := inventory.NewClientWithResponses(platform.URL(stack.Inventory), inventory.WithHTTPClient(http.DefaultClient))
	if err != nil {
		t.Fatal(err)
	}
	product := "last-" + newKey()[:8]
	put, err := c.PutProductWithResponse(t.Context(), product, inventory.ProductInput{
		Name: "The last one", OnHand: 1, Price: inventory.Money{AmountMinor: 100, Currency: "EUR"},
	})
	if err != nil || put.JSON201 == nil {
		t.Fatalf("put the product: %v %v", err, put)
	}
	o := good("equal")
	o.Items[0].ProductID = product
	key := newKey()
	var mu sync.Mutex
	var wg sync.WaitGroup
	ids := map[string]int{}
	for i := range 50 {
		wg.Go(func() {
			status, id := place(t, stack.Replica(stack.Order, 1+i%2), o, key)
			mu.Lock()
			defer mu.Unlock()
			if status != http.StatusAccepted {
				t.Errorf("POST %d: status %d", i, status)
			}
			ids[id]++
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Fatalf("50 equal POSTs made %d orders: %v", len(ids), ids)
	}
	for id := range ids {
		eventually(t, "the one order to be shipped and settled", func() bool {
			found := get(t, id)
			return found.Settled && found.State == client.OrderStateShipped
		})
	}
	mustPass(t, journals(t)...)
}
