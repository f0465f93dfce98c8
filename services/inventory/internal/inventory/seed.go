package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSeed bounds a seed catalogue in bytes.
const maxSeed = 16 << 20

// maxCount bounds a price and a count, as the API does.
const maxCount = 1_000_000_000

// seedProduct is one product of a seed catalogue.
type seedProduct struct {
	ProductID string `json:"productId"`
	Name      string `json:"name"`
	Price     struct {
		AmountMinor int64  `json:"amountMinor"`
		Currency    string `json:"currency"`
	} `json:"price"`
	OnHand int64 `json:"onHand"`
}

// ReadSeed reads a seed catalogue from a file: see ParseSeed. An empty path is an
// empty catalogue.
func ReadSeed(path string) ([]Product, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the seed catalogue: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxSeed+1))
	if err != nil {
		return nil, fmt.Errorf("read the seed catalogue: %w", err)
	}
	if len(data) > maxSeed {
		return nil, fmt.Errorf("the seed catalogue is larger than %d bytes", maxSeed)
	}
	return ParseSeed(data)
}

// ParseSeed reads a seed catalogue: a JSON array of products, each once, with
// productId, name, price and onHand. An error names the product by its place, from
// 1, and the field.
func ParseSeed(data []byte) ([]Product, error) {
	var seed []json.RawMessage
	if err := json.Unmarshal(data, &seed); err != nil {
		return nil, fmt.Errorf("the seed catalogue is not an array of products: %w", err)
	}
	products := make([]Product, len(seed))
	places := make(map[string]int, len(seed))
	for i, document := range seed {
		p, err := parseProduct(document)
		if err != nil {
			return nil, fmt.Errorf("seed catalogue, product %d: %w", i+1, err)
		}
		if first, ok := places[p.ID]; ok {
			return nil, fmt.Errorf("seed catalogue, product %d: productId is that of product %d", i+1, first)
		}
		places[p.ID] = i + 1
		products[i] = p
	}
	return products, nil
}

func parseProduct(document []byte) (Product, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	var s seedProduct
	if err := decoder.Decode(&s); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return Product{}, fmt.Errorf("%s must be a %s", wrong.Field, wrong.Type)
		}
		return Product{}, err
	}
	return Product{
		ID: s.ProductID, Name: s.Name, OnHand: s.OnHand,
		Price: Money{Minor: s.Price.AmountMinor, Currency: s.Price.Currency},
	}, s.check()
}

var (
	productID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	currency  = regexp.MustCompile(`^[A-Z]{3}$`)
)

// check holds a product to the rules of the API.
func (s seedProduct) check() error {
	switch {
	case !productID.MatchString(s.ProductID):
		return errors.New("productId must be 1 to 64 letters, digits, dots, dashes or underscores")
	case s.Name == "" || utf8.RuneCountInString(s.Name) > 200:
		return errors.New("name must have 1 to 200 characters")
	case strings.ContainsFunc(s.Name, unicode.IsControl):
		return errors.New("name must hold no control characters")
	case s.Price.AmountMinor < 1 || s.Price.AmountMinor > maxCount:
		return fmt.Errorf("price.amountMinor must be 1 to %d", maxCount)
	case !currency.MatchString(s.Price.Currency):
		return errors.New("price.currency must be an ISO 4217 code")
	case s.OnHand < 0 || s.OnHand > maxCount:
		return fmt.Errorf("onHand must be 0 to %d", maxCount)
	}
	return nil
}
