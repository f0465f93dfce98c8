package rest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"parley.sh/services/order/client"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

func ptr[T any](v T) *T { return &v }

func TestPlaceAndGet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	a := w.post("k", goodBody)
	got := decode[client.Order](t, a)
	if a.status != http.StatusAccepted || a.header.Get("Location") != "/api/orders/"+got.ID.String() {
		t.Errorf("%d, Location %q", a.status, a.header.Get("Location"))
	}
	if got.ID.Version() != 7 {
		t.Errorf("the id is a UUID of version %d, want 7", got.ID.Version())
	}
	eur := func(n int64) client.Money { return client.Money{AmountMinor: n, Currency: "EUR"} }
	want := client.Order{
		ID: got.ID, CustomerID: "ada", State: client.OrderStatePlaced, Version: 1, Amount: eur(2500),
		Items:    []client.OrderItem{{ProductID: "123", Quantity: 2, UnitPrice: eur(1250)}},
		Shipping: client.Shipping{Level: client.Express, Address: ptr("1 High Street")},
		Legs:     client.Legs{Stock: client.LegsStockOpen, Payment: client.LegsPaymentOpen, Shipping: client.LegsShippingOpen},
		PlacedAt: got.PlacedAt, UpdatedAt: got.PlacedAt,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(string(a.body), "tok_secret") {
		t.Error("the answer shows the means of payment")
	}
	w.tell(got.ID, append(confirmed, settling...)...)
	read := decode[client.OrderWithTimeline](t, w.do(call{path: a.header.Get("Location")}))
	if o := read.Order; o.State != client.OrderStateShipped || !o.Settled || *o.TrackingNumber != "trk-1" ||
		o.Legs != (client.Legs{Stock: "picked", Payment: "captured", Shipping: "dispatched"}) {
		t.Errorf("got %+v", o)
	}
	change := func(version int, name client.ChangeName) client.OrderChange {
		return client.OrderChange{OrderID: got.ID, Version: version, Change: name}
	}
	timeline := []client.OrderChange{
		change(1, "placed"), change(2, "confirmed"), change(3, "shipped"), change(4, "settled"),
	}
	timeline[2].TrackingNumber = ptr("trk-1")
	if diff := cmp.Diff(timeline, read.Timeline, cmpopts.IgnoreFields(client.OrderChange{}, "At")); diff != "" {
		t.Error(diff)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	used := w.place("used")
	items := func(list string) string {
		return strings.Replace(goodBody, `[{"productId":"123","quantity":2}]`, list, 1)
	}
	quantity := func(q string) string { return items(`[{"productId":"123","quantity":` + q + `}]`) }
	many := "[" + strings.Repeat(`{"productId":"1","quantity":1},`, 9_999) + `{"productId":"1","quantity":1}]`
	body := func(s string) call { return call{body: s, header: map[string]string{"Idempotency-Key": "k"}} }
	tests := map[string]struct {
		call   call
		status int
		fields []string
	}{
		"no key":                 {call{body: goodBody}, 400, []string{"Idempotency-Key"}},
		"key with a space":       {call{body: goodBody, header: map[string]string{"Idempotency-Key": "a b"}}, 400, []string{"Idempotency-Key"}},
		"key too long":           {call{body: goodBody, header: map[string]string{"Idempotency-Key": strings.Repeat("k", 129)}}, 400, []string{"Idempotency-Key"}},
		"no body":                {call{header: map[string]string{"Idempotency-Key": "k"}}, 400, []string{"body"}},
		"malformed":              {body(`{"customerId":`), 400, nil},
		"two documents":          {body(goodBody + goodBody), 400, nil},
		"not UTF-8":              {body(strings.Replace(goodBody, "High", "\xff", 1)), 400, nil},
		"oversized":              {body(items(`[{"productId":"` + strings.Repeat("1", 1<<20) + `","quantity":1}]`)), 413, nil},
		"an array":               {body("[]"), 400, []string{"body"}},
		"unknown field":          {body(strings.Replace(goodBody, "{", `{"discount":100,`, 1)), 400, []string{"discount"}},
		"unknown field inside":   {body(items(`[{"productId":"123","quantity":1,"price":0}]`)), 400, []string{"items[0].price"}},
		"wrong content type":     {call{body: goodBody, header: map[string]string{"Idempotency-Key": "k", "Content-Type": "text/plain"}}, 415, nil},
		"quantity zero":          {body(quantity("0")), 400, []string{"items[0].quantity"}},
		"quantity negative":      {body(quantity("-3")), 400, []string{"items[0].quantity"}},
		"quantity too large":     {body(quantity("1000001")), 400, []string{"items[0].quantity"}},
		"quantity beyond 64 bit": {body(quantity("99999999999999999999")), 400, []string{"items[0].quantity"}},
		"quantity with a point":  {body(quantity("1.5")), 400, []string{"items[0].quantity"}},
		"quantity as text":       {body(quantity(`"2"`)), 400, []string{"items[0].quantity"}},
		"no items":               {body(items("[]")), 400, []string{"items"}},
		"ten thousand items":     {body(items(many)), 400, []string{"items"}},
		"a product twice":        {body(items(`[{"productId":"1","quantity":1},{"productId":"1","quantity":2}]`)), 400, []string{"items[1].productId"}},
		"unknown products": {
			body(items(`[{"productId":"no1","quantity":1},{"productId":"1","quantity":1},{"productId":"no2","quantity":1}]`)),
			400,
			[]string{"items[0].productId", "items[2].productId"},
		},
		"too little stock": {
			body(items(`[{"productId":"1","quantity":51},{"productId":"2","quantity":50},{"productId":"3","quantity":99}]`)),
			409,
			[]string{"items[0].quantity", "items[2].quantity"},
		},
		"address too long":        {body(strings.Replace(goodBody, "1 High Street", strings.Repeat("x", 501), 1)), 400, []string{"shipping.address"}},
		"address with a control":  {body(strings.Replace(goodBody, "1 High Street", `a\u0007b`, 1)), 400, []string{"shipping.address"}},
		"a used key, other body":  {call{body: quantity("3"), header: map[string]string{"Idempotency-Key": "used"}}, 422, nil},
		"list: unknown state":     {call{method: "GET", path: "/api/orders?state=lost"}, 400, []string{"state"}},
		"list: limit of zero":     {call{method: "GET", path: "/api/orders?limit=0"}, 400, []string{"limit"}},
		"list: limit too high":    {call{method: "GET", path: "/api/orders?limit=201"}, 400, []string{"limit"}},
		"list: made-up cursor":    {call{method: "GET", path: "/api/orders?cursor=abcd"}, 400, []string{"cursor"}},
		"get: no UUID":            {call{method: "GET", path: "/api/orders/123"}, 400, []string{"orderId"}},
		"get: no such order":      {call{method: "GET", path: "/api/orders/" + uuid.NewString()}, 404, nil},
		"cancel: no such order":   {call{path: "/api/orders/" + uuid.NewString() + "/cancel"}, 404, nil},
		"events: no such order":   {call{method: "GET", path: "/api/orders/" + uuid.NewString() + "/events"}, 404, nil},
		"events: bad last id":     {call{method: "GET", path: "/api/orders/" + used.ID.String() + "/events", header: map[string]string{"Last-Event-ID": "x"}}, 400, []string{"Last-Event-ID"}},
		"all events: bad last id": {call{method: "GET", path: "/api/events", header: map[string]string{"Last-Event-ID": "x"}}, 400, []string{"Last-Event-ID"}},
		"wrong method":            {call{method: "DELETE", path: "/api/orders"}, 405, nil},
		"no such path":            {call{method: "GET", path: "/api/nothing"}, 404, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := tc.call
			c.method, c.path = or(c.method, http.MethodPost), or(c.path, "/api/orders")
			a := w.do(c)
			if a.status != tc.status || a.header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%d %s %s", a.status, a.header.Get("Content-Type"), a.body)
			}
			problem := decode[client.Problem](t, a)
			if problem.Status != tc.status || problem.Title == "" || problem.Type == "" {
				t.Errorf("got %+v", problem)
			}
			if diff := cmp.Diff(tc.fields, names(problem)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(string(a.body), "tok_secret") || strings.Contains(string(a.body), "High Street") {
				t.Errorf("the problem repeats what was sent: %s", a.body)
			}
		})
	}
	if n := len(w.store.Announced()); n != 1 {
		t.Errorf("%d orders were made, want the first only", n)
	}
}

// names returns the fields that a problem names, each once.
func names(p client.Problem) []string {
	var list []string
	if p.Errors == nil {
		return nil
	}
	for _, e := range *p.Errors {
		if len(list) == 0 || list[len(list)-1] != e.Field {
			list = append(list, e.Field)
		}
	}
	return list
}

func TestRepeatUnderOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	first := w.place("k")
	if again := w.place("k"); again.ID != first.ID {
		t.Errorf("the repeat made order %s", again.ID)
	}
	// The same document in another form.
	reordered := `{ "shipping": {"address":"1 High Street","level":"express"}, "payment":{"token":"tok_secret"},` +
		"\n" + `"items":[{"quantity":2,"productId":"123"}], "customerId":"\u0061da" }`
	if a := w.post("k", reordered); decode[client.Order](t, a).ID != first.ID {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.tell(first.ID, confirmed...)
	if again := w.place("k"); again.State != client.OrderStateConfirmed {
		t.Errorf("the repeat answers %s, want the state of now", again.State)
	}
}

func TestCancelAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		facts    []any
		statuses []int
		state    client.OrderState
	}{
		"placed, twice":    {nil, []int{200, 200}, client.OrderStateCancelled},
		"confirmed, twice": {confirmed, []int{202, 202}, client.OrderStateCancelling},
		"shipped, twice":   {append(confirmed, "trk"), []int{409, 409}, client.OrderStateShipped},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			o := w.place("k")
			w.tell(o.ID, tc.facts...)
			for _, want := range tc.statuses {
				a := w.do(call{method: http.MethodPost, path: "/api/orders/" + o.ID.String() + "/cancel"})
				if a.status != want {
					t.Errorf("%d %s, want %d", a.status, a.body, want)
				}
				if want < 300 && decode[client.Order](t, a).State != tc.state {
					t.Errorf("got %s, want %s", a.body, tc.state)
				}
			}
			if got := decode[client.OrderWithTimeline](t, w.do(call{path: "/api/orders/" + o.ID.String()})).Order.State; got != tc.state {
				t.Errorf("the order is %s, want %s", got, tc.state)
			}
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	var ids []uuid.UUID
	for i := range 7 {
		ids = append([]uuid.UUID{w.place(fmt.Sprint(i)).ID}, ids...)
	}
	w.tell(ids[3], confirmed...)
	var got []uuid.UUID
	path, pages := "/api/orders?customerId=ada&limit=3", 0
	for next := path; next != ""; pages++ {
		page := decode[client.OrderPage](t, w.do(call{path: next}))
		for _, o := range page.Orders {
			got = append(got, o.ID)
		}
		next = ""
		if page.NextCursor != nil {
			next = path + "&cursor=" + *page.NextCursor
		}
	}
	if diff := cmp.Diff(ids, got); diff != "" || pages != 3 {
		t.Errorf("%d pages\n%s", pages, diff)
	}
	for query, want := range map[string]int{"state=confirmed": 1, "state=shipped": 0, "customerId=bob": 0, "limit=200": 7, "": 7} {
		a := w.do(call{path: "/api/orders?" + query})
		if page := decode[client.OrderPage](t, a); len(page.Orders) != want || page.NextCursor != nil {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

func TestPreferWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{maxWait: time.Second})
	prefer := func(key, value string) answer {
		return w.do(call{method: http.MethodPost, path: "/api/orders", body: goodBody, header: map[string]string{
			"Idempotency-Key": key, "Prefer": value,
		}})
	}
	t.Run("the time is up", func(t *testing.T) {
		begun := time.Now()
		a := prefer("1", "wait=60")
		if took := time.Since(begun); took < 900*time.Millisecond || took > 4*time.Second {
			t.Errorf("it took %s, want about the bound", took)
		}
		if a.header.Get("Preference-Applied") != "wait=1" || decode[client.Order](t, a).State != client.OrderStatePlaced {
			t.Errorf("%v %s", a.header, a.body)
		}
	})
	t.Run("the order became terminal", func(t *testing.T) {
		go func() {
			for len(w.store.Announced()) < 2 {
				select {
				case <-t.Context().Done():
					return
				case <-time.After(time.Millisecond):
				}
			}
			w.tell(uuid.MustParse(w.store.Announced()[1].Order.ID), machine.StockRejected)
		}()
		a := prefer("2", "respond-async, WAIT=1; foo=bar")
		if o := decode[client.Order](t, a); a.status != 202 || o.State != client.OrderStateCancelled || *o.Reason != client.OutOfStock {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	for _, value := range []string{"", "wait", "wait=", "wait=soon", "wait=-1", "wait=0", "return=minimal", ";;,,=", "wait=99999999999"} {
		begun := time.Now()
		if a := prefer("1", value); a.status != 202 || a.header.Get("Preference-Applied") != "" || time.Since(begun) > 800*time.Millisecond {
			t.Errorf("%q: %d after %s", value, a.status, time.Since(begun))
		}
	}
}

// The documented client gets what the server sends.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	c, err := client.NewClientWithResponses(w.url)
	if err != nil {
		t.Fatal(err)
	}
	placed, err := c.PlaceOrderWithResponse(t.Context(), &client.PlaceOrderParams{IdempotencyKey: "k"}, client.PlaceOrder{
		CustomerID: "ada", Items: []client.PlaceItem{{ProductID: "1", Quantity: 1}},
		Payment: client.PlacePayment{Token: "tok_ok"}, Shipping: client.Shipping{Level: client.Standard},
	})
	if err != nil || placed.JSON202 == nil {
		t.Fatalf("%v %+v", err, placed)
	}
	read, err := c.GetOrderWithResponse(t.Context(), placed.JSON202.ID)
	if err != nil || read.JSON200 == nil || len(read.JSON200.Timeline) != 1 {
		t.Errorf("%v %+v", err, read)
	}
	refused, err := c.GetOrderWithResponse(t.Context(), uuid.New())
	if err != nil || refused.ApplicationProblemJSON404 == nil {
		t.Errorf("%v %+v", err, refused)
	}
	if got, want := string(read.JSON200.Order.State), string(machine.Placed); got != want {
		t.Errorf("the state is %q, want %q", got, want)
	}
	if string(client.Express) != order.Express || string(client.Standard) != order.Standard {
		t.Error("the levels of document and domain differ")
	}
}
