package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"parley.sh/services/kit/rest"
)

// A typed call with a fallback. A generated client takes the place of the closure's
// first half: it is given the Client as its HttpRequestDoer.
func ExampleCall() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer s.Close()
	inventory := rest.New(rest.DefaultConfig(s.URL), rest.Options{Name: "inventory"})
	defer inventory.Close()

	check := func(ctx context.Context) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, inventory.URL()+"/api/inventory/check?productId=123", nil)
		if err != nil {
			return 0, err
		}
		resp, err := inventory.Do(req)
		if err != nil {
			return 0, rest.Check(nil, nil, err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err := rest.Check(resp, body, err); err != nil {
			return 0, err
		}
		var answer struct{ Stock int }
		err = json.Unmarshal(body, &answer)
		return answer.Stock, err
	}
	lastKnown := func(context.Context, error) (int, error) { return 50, nil }

	stock, err := rest.Call(context.Background(), inventory, check, lastKnown)
	fmt.Println(stock, err)
	// Output: 50 <nil>
}
