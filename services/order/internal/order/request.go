package order

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"unicode/utf8"

	"parley.sh/services/kit/fault"
)

// The limits of a request.
const (
	MaxItems     = 100
	MaxQuantity  = 1_000_000
	MaxAddress   = 500
	MaxKey       = 128
	maxCustomer  = 64
	maxProductID = 64
	maxToken     = 128
)

var (
	customerPattern = regexp.MustCompile(`^[A-Za-z0-9._@-]+$`)
	productPattern  = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	tokenPattern    = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)
	keyPattern      = regexp.MustCompile(`^[\x21-\x7e]+$`)
)

// Request is what a customer asks for.
type Request struct {
	CustomerID string
	Items      []Wanted
	Token      string
	Level      string
	Address    string
	// Key is the Idempotency-Key. It is no part of the Fingerprint.
	Key string
}

// Wanted is a quantity of a product, without a price yet.
type Wanted struct {
	ProductID string
	Quantity  int64
}

// Validate returns an Invalid error that names every field which breaks a rule.
func (r Request) Validate() error {
	var bad []fault.Field
	check := func(ok bool, name, rule string) {
		if !ok {
			bad = append(bad, fault.Field{Name: name, Rule: rule})
		}
	}
	check(matches(keyPattern, r.Key, MaxKey), "Idempotency-Key",
		"must be 1 to 128 printable characters without spaces")
	check(matches(customerPattern, r.CustomerID, maxCustomer), "customerId",
		"must be 1 to 64 of letters, digits, dot, underscore, at and dash")
	check(matches(tokenPattern, r.Token, maxToken), "payment.token",
		"must be 1 to 128 of letters, digits, underscore, dot, colon and dash")
	check(r.Level == Express || r.Level == Standard, "shipping.level", "must be express or standard")
	check(utf8.ValidString(r.Address) && utf8.RuneCountInString(r.Address) <= MaxAddress && printable(r.Address),
		"shipping.address", "must be at most 500 printable characters")
	check(len(r.Items) > 0 && len(r.Items) <= MaxItems, "items", "must hold 1 to 100 items")
	if len(r.Items) <= MaxItems {
		bad = append(bad, checkItems(r.Items)...)
	}
	if len(bad) > 0 {
		return invalid(bad...)
	}
	return nil
}

// invalid refuses an order for the fields given.
func invalid(fields ...fault.Field) error {
	return fault.InvalidFields("the order is not valid", fields...)
}

func checkItems(items []Wanted) []fault.Field {
	var bad []fault.Field
	seen := make(map[string]bool, len(items))
	for i, item := range items {
		name := fmt.Sprintf("items[%d].productId", i)
		switch {
		case !matches(productPattern, item.ProductID, maxProductID):
			bad = append(bad, fault.Field{
				Name: name, Rule: "must be 1 to 64 of letters, digits, dot, underscore and dash",
			})
		case seen[item.ProductID]:
			bad = append(bad, fault.Field{Name: name, Rule: "must be in the order once: add the quantities"})
		}
		seen[item.ProductID] = true
		if item.Quantity < 1 || item.Quantity > MaxQuantity {
			bad = append(bad, fault.Field{
				Name: fmt.Sprintf("items[%d].quantity", i), Rule: "must be 1 to 1000000",
			})
		}
	}
	return bad
}

func matches(p *regexp.Regexp, s string, most int) bool { return len(s) <= most && p.MatchString(s) }

// printable reports whether s is free of control characters other than line ends,
// which an address may have.
func printable(s string) bool {
	for _, r := range s {
		if (r < 0x20 && r != '\n' && r != '\r') || r == 0x7f {
			return false
		}
	}
	return true
}

// Fingerprint identifies what is asked for: two documents with the same meaning
// have the same one. It is kept for as long as the key, so its form never changes:
// a new field joins only where it is given.
func (r Request) Fingerprint() [sha256.Size]byte {
	type item struct {
		ProductID string `json:"productId"`
		Quantity  int64  `json:"quantity"`
	}
	canonical := struct {
		Address    string `json:"address,omitempty"`
		CustomerID string `json:"customerId"`
		Items      []item `json:"items"`
		Level      string `json:"level"`
		Token      string `json:"token"`
	}{Address: r.Address, CustomerID: r.CustomerID, Level: r.Level, Token: r.Token}
	for _, w := range r.Items {
		canonical.Items = append(canonical.Items, item(w))
	}
	data, _ := json.Marshal(canonical) //nolint:errchkjson // strings and integers always encode
	return sha256.Sum256(data)
}
