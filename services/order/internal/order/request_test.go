package order_test

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/internal/order"
)

func good() order.Request {
	return order.Request{
		CustomerID: "ada", Items: []order.Wanted{{ProductID: "123", Quantity: 2}, {ProductID: "7", Quantity: 1}},
		Token: "tok_ok", Level: order.Express, Key: "key-1",
	}
}

func fields(err error) []string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return nil
	}
	var names []string
	for _, field := range f.Fields {
		names = append(names, field.Name)
	}
	return names
}

func TestValidateNamesEveryField(t *testing.T) {
	t.Parallel()
	many := make([]order.Wanted, 10_000)
	tests := map[string]struct {
		change func(*order.Request)
		want   []string
	}{
		"good":                  {func(*order.Request) {}, nil},
		"no items":              {func(r *order.Request) { r.Items = nil }, []string{"items"}},
		"ten thousand items":    {func(r *order.Request) { r.Items = many }, []string{"items"}},
		"quantity zero":         {func(r *order.Request) { r.Items[0].Quantity = 0 }, []string{"items[0].quantity"}},
		"quantity negative":     {func(r *order.Request) { r.Items[1].Quantity = -1 }, []string{"items[1].quantity"}},
		"quantity too large":    {func(r *order.Request) { r.Items[1].Quantity = math.MaxInt64 }, []string{"items[1].quantity"}},
		"quantity at its limit": {func(r *order.Request) { r.Items[1].Quantity = order.MaxQuantity }, nil},
		"product twice":         {func(r *order.Request) { r.Items[1].ProductID = "123" }, []string{"items[1].productId"}},
		"product empty":         {func(r *order.Request) { r.Items[1].ProductID = "" }, []string{"items[1].productId"}},
		"product with a slash":  {func(r *order.Request) { r.Items[1].ProductID = "a/b" }, []string{"items[1].productId"}},
		"product too long":      {func(r *order.Request) { r.Items[1].ProductID = strings.Repeat("a", 65) }, []string{"items[1].productId"}},
		"no customer":           {func(r *order.Request) { r.CustomerID = "" }, []string{"customerId"}},
		"customer with spaces":  {func(r *order.Request) { r.CustomerID = "a da" }, []string{"customerId"}},
		"no token":              {func(r *order.Request) { r.Token = "" }, []string{"payment.token"}},
		"token too long":        {func(r *order.Request) { r.Token = strings.Repeat("t", 129) }, []string{"payment.token"}},
		"unknown level":         {func(r *order.Request) { r.Level = "drone" }, []string{"shipping.level"}},
		"address too long":      {func(r *order.Request) { r.Address = strings.Repeat("\u00e4", 501) }, []string{"shipping.address"}},
		"address at its limit":  {func(r *order.Request) { r.Address = strings.Repeat("\u00e4", 500) }, nil},
		"address with NUL":      {func(r *order.Request) { r.Address = "a\x00b" }, []string{"shipping.address"}},
		"address of two lines":  {func(r *order.Request) { r.Address = "a\nb" }, nil},
		"no key":                {func(r *order.Request) { r.Key = "" }, []string{"Idempotency-Key"}},
		"key with a space":      {func(r *order.Request) { r.Key = "a b" }, []string{"Idempotency-Key"}},
		"everything at once": {func(r *order.Request) { *r = order.Request{Items: []order.Wanted{{}}} }, []string{
			"Idempotency-Key", "customerId", "payment.token", "shipping.level", "items[0].productId", "items[0].quantity",
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good()
			tc.change(&r)
			err := r.Validate()
			if (err != nil) != (tc.want != nil) || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(tc.want, fields(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The fingerprint is kept for days, so a new version of the program must make the
// same of an old request.
func TestFingerprintIsStable(t *testing.T) {
	t.Parallel()
	r := good()
	got := r.Fingerprint()
	if want := "5b5428b1d9de47eaa44f22098f94db5354a697df5da8458f90ece92c112cda87"; hex.EncodeToString(got[:]) != want {
		t.Errorf("the fingerprint of a known request is %x", got)
	}
}

func TestFingerprintTellsRequestsApart(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*order.Request)
		same   bool
	}{
		"nothing":          {func(*order.Request) {}, true},
		"another key":      {func(r *order.Request) { r.Key = "other" }, true},
		"another quantity": {func(r *order.Request) { r.Items[0].Quantity++ }, false},
		"another product":  {func(r *order.Request) { r.Items[0].ProductID = "124" }, false},
		"another order":    {func(r *order.Request) { r.Items[0], r.Items[1] = r.Items[1], r.Items[0] }, false},
		"an item less":     {func(r *order.Request) { r.Items = r.Items[:1] }, false},
		"another token":    {func(r *order.Request) { r.Token = "tok_declined" }, false},
		"another level":    {func(r *order.Request) { r.Level = order.Standard }, false},
		"an address":       {func(r *order.Request) { r.Address = "a" }, false},
		"another customer": {func(r *order.Request) { r.CustomerID = "bob" }, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good()
			tc.change(&r)
			if same := r.Fingerprint() == good().Fingerprint(); same != tc.same {
				t.Errorf("same = %v, want %v", same, tc.same)
			}
		})
	}
}

func TestTotal(t *testing.T) {
	t.Parallel()
	eur := func(quantity, price int64) order.Item {
		return order.Item{ProductID: "p", Quantity: quantity, UnitPrice: order.Money{AmountMinor: price, Currency: "EUR"}}
	}
	usd := eur(1, 1)
	usd.UnitPrice.Currency = "USD"
	tests := map[string]struct {
		items []order.Item
		want  int64
		bad   []string
	}{
		"one":              {[]order.Item{eur(3, 5)}, 15, nil},
		"sum":              {[]order.Item{eur(3, 5), eur(1, 100), eur(7, 0)}, 115, nil},
		"free":             {[]order.Item{eur(1_000_000, 0)}, 0, nil},
		"at the limit":     {[]order.Item{eur(1, order.MaxAmount)}, order.MaxAmount, nil},
		"above the limit":  {[]order.Item{eur(1, order.MaxAmount), eur(1, 1)}, 0, []string{"items"}},
		"overflow of one":  {[]order.Item{eur(order.MaxQuantity, math.MaxInt64)}, 0, []string{"items"}},
		"wraps to a small": {[]order.Item{eur(4, math.MaxInt64/2+1)}, 0, []string{"items"}},
		"mixed currencies": {[]order.Item{eur(1, 1), usd}, 0, []string{"items[1].productId"}},
		"nothing":          {nil, 0, []string{"items"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := order.Total(tc.items)
			if diff := cmp.Diff(tc.bad, fields(err)); diff != "" {
				t.Error(diff)
			}
			if got.AmountMinor != tc.want {
				t.Errorf("got %d, want %d", got.AmountMinor, tc.want)
			}
		})
	}
}
