package inventory_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley.sh/services/inventory/internal/inventory"
)

const good = `{"productId":"123","name":"Kettle","price":{"amountMinor":1250,"currency":"EUR"},"onHand":50}`

// with returns the good product with one piece of it replaced.
func with(old, replacement string) string { return strings.Replace(good, old, replacement, 1) }

func TestParseSeed(t *testing.T) {
	t.Parallel()
	kettle := inventory.Product{ID: "123", Name: "Kettle", OnHand: 50, Price: inventory.Money{Minor: 1250, Currency: "EUR"}}
	cup := kettle
	cup.ID, cup.OnHand, cup.Name = "a.b-c_D", 0, strings.Repeat("\u00fc", 200)
	got, err := inventory.ParseSeed([]byte("[" + good + ",\n" +
		strings.NewReplacer(`"123"`, `"a.b-c_D"`, "50}", "0}", "Kettle", cup.Name).Replace(good) + "]\n"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "products", []inventory.Product{kettle, cup}, got)
	for _, empty := range []string{"[]", "null"} {
		if got, err := inventory.ParseSeed([]byte(empty)); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", empty, got, err)
		}
	}
}

// An error says which product, from 1, and which field.
func TestParseSeedNamesPlaceAndField(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		second string
		names  []string
	}{
		"no id":               {with(`"123"`, `""`), []string{"product 2", "productId"}},
		"a long id":           {with("123", strings.Repeat("1", 65)), []string{"product 2", "productId"}},
		"an id with a space":  {with("123", "1 3"), []string{"product 2", "productId"}},
		"an id with a line":   {with("123", `1\n`), []string{"product 2", "productId"}},
		"the first's id":      {good, []string{"product 2", "product 1", "productId"}},
		"no name":             {with("Kettle", ""), []string{"product 2", "name"}},
		"a long name":         {with("Kettle", strings.Repeat("\u00fc", 201)), []string{"product 2", "name"}},
		"a NUL in the name":   {with("Kettle", `K\u0000`), []string{"product 2", "name"}},
		"no price":            {with("1250", "0"), []string{"product 2", "price.amountMinor"}},
		"a negative price":    {with("1250", "-1"), []string{"product 2", "price.amountMinor"}},
		"too high a price":    {with("1250", "1000000001"), []string{"product 2", "price.amountMinor"}},
		"a broken price":      {with("1250", "12.5"), []string{"product 2", "price.amountMinor"}},
		"no currency":         {with("EUR", "euro"), []string{"product 2", "price.currency"}},
		"a negative count":    {with(":50", ":-1"), []string{"product 2", "onHand"}},
		"too many":            {with(":50", ":1000000001"), []string{"product 2", "onHand"}},
		"more than an int64":  {with(":50", ":9223372036854775808"), []string{"product 2", "onHand"}},
		"a count in words":    {with(":50", `:"fifty"`), []string{"product 2", "onHand"}},
		"an unknown field":    {with(`"name"`, `"colour":"red","name"`), []string{"product 2", "colour"}},
		"a number":            {"7", []string{"product 2"}},
		"null":                {"null", []string{"product 2", "productId"}},
		"a document after it": {good + "] [" + good, []string{"not an array"}},
		"cut off":             {good[:40], []string{"not an array"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := inventory.ParseSeed([]byte("[" + good + "," + tc.second + "]"))
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, name := range tc.names {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%q does not name %s", err, name)
				}
			}
		})
	}
}

func TestReadSeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if got, err := inventory.ReadSeed(""); got != nil || err != nil {
		t.Errorf("no file: %v, %v", got, err)
	}
	if got, err := inventory.ReadSeed(file("good.json", []byte("["+good+"]"))); len(got) != 1 || err != nil {
		t.Errorf("a file: %v, %v", got, err)
	}
	if _, err := inventory.ReadSeed(file("large.json", bytes.Repeat([]byte(" "), 16<<20+1))); err == nil {
		t.Error("a file without end was read")
	}
	for _, path := range []string{filepath.Join(dir, "none.json"), dir} {
		if _, err := inventory.ReadSeed(path); err == nil {
			t.Errorf("%s was read", path)
		}
	}
}

// FuzzParseSeed: whatever is accepted keeps the rules of the API.
func FuzzParseSeed(f *testing.F) {
	for _, seed := range []string{"[" + good + "]", "[]", "null", "{}", "[null]", "[" + good + "," + good + "]", `[{"productId":"\ud800"}]`, ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		products, err := inventory.ParseSeed(data)
		if err != nil {
			return
		}
		ids := map[string]bool{}
		for _, p := range products {
			if ids[p.ID] || p.ID == "" || len(p.ID) > 64 || p.Name == "" || strings.ContainsRune(p.Name, 0) ||
				p.Price.Minor < 1 || len(p.Price.Currency) != 3 || p.OnHand < 0 || p.OnHand > 1_000_000_000 {
				t.Errorf("accepted %+v", p)
			}
			ids[p.ID] = true
		}
		if !json.Valid(data) {
			t.Error("it is not JSON")
		}
	})
}
