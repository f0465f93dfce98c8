package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
)

// maxSeed bounds a seed catalogue in bytes.
const maxSeed = 16 << 20

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

// ReadSeed reads a seed catalogue: a JSON array of products, each with productId,
// name, price and onHand. An error names the product by its place and the field. An
// empty path is an empty catalogue.
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

// ParseSeed reads a seed catalogue from its JSON.
func ParseSeed(data []byte) ([]Product, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var seed []seedProduct
	if err := decoder.Decode(&seed); err != nil {
		return nil, fmt.Errorf("parse the seed catalogue: %w", err)
	}
	products := make([]Product, len(seed))
	for i, s := range seed {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("seed catalogue, product %d: %w", i+1, err)
		}
		products[i] = Product{
			ID: s.ProductID, Name: s.Name, OnHand: s.OnHand,
			Price: Money{Minor: s.Price.AmountMinor, Currency: s.Price.Currency},
		}
	}
	return products, nil
}

var (
	productID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	currency  = regexp.MustCompile(`^[A-Z]{3}$`)
)

func (s seedProduct) check() error {
	switch {
	case !productID.MatchString(s.ProductID):
		return errors.New("productId must be 1 to 64 letters, digits, dots, dashes or underscores")
	case s.Name == "" || len(s.Name) > 200:
		return errors.New("name must have 1 to 200 bytes")
	case s.Price.AmountMinor < 1:
		return errors.New("price.amountMinor must be at least 1")
	case !currency.MatchString(s.Price.Currency):
		return errors.New("price.currency must be an ISO 4217 code")
	case s.OnHand < 0:
		return errors.New("onHand must not be negative")
	}
	return nil
}
