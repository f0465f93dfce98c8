package world

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"unicode/utf8"

	"parley.sh/hack/sim/client"
)

// maxBody is the longest body that is read.
const maxBody = 64 << 10

var (
	keyPattern      = regexp.MustCompile(`^[\x21-\x7e]{1,255}$`)
	idPattern       = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
)

// maxAmount is the largest integer that every JSON reader keeps exactly.
const maxAmount = 1<<53 - 1

// decode reads the body as exactly one document of T.
func decode[T any](w http.ResponseWriter, r *http.Request) (T, *client.Problem) {
	var v T
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return v, &notJSON
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, decodeProblem(err)
	}
	if err := d.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return v, decodeProblem(err)
	}
	return v, nil
}

func decodeProblem(err error) *client.Problem {
	var long *http.MaxBytesError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &long):
		return &tooLarge
	case errors.As(err, &wrong) && wrong.Field != "":
		p := invalid([]client.FieldError{{Field: wrong.Field, Rule: "must be of the schema's type"}})
		return &p
	}
	return &malformed
}

// rules collects what a document breaks.
type rules []client.FieldError

func (r *rules) check(ok bool, field, rule string) {
	if !ok {
		*r = append(*r, client.FieldError{Field: field, Rule: rule})
	}
}

func (r *rules) id(value, field string) {
	r.check(idPattern.MatchString(value), field, "must be 1 to 64 letters, digits, dots, dashes or underscores")
}

func checkAuthorize(v client.Authorize) (broken rules) {
	broken.id(v.OrderId, "orderId")
	broken.check(v.Amount.AmountMinor >= 1 && v.Amount.AmountMinor <= maxAmount,
		"amount.amountMinor", "must be 1 to 9007199254740991")
	broken.check(currencyPattern.MatchString(v.Amount.Currency), "amount.currency", "must be three capital letters")
	broken.check(validToken(v.Token), "token", "must be a token of the provider")
	return broken
}

func checkReference(v client.Reference) (broken rules) {
	broken.check((v.AuthorizationId == nil) != (v.OrderId == nil),
		"authorizationId", "give either authorizationId or orderId")
	if v.AuthorizationId != nil {
		broken.id(*v.AuthorizationId, "authorizationId")
	}
	if v.OrderId != nil {
		broken.id(*v.OrderId, "orderId")
	}
	return broken
}

func checkLabel(v client.LabelRequest) (broken rules) {
	broken.id(v.OrderId, "orderId")
	broken.check(v.Level.Valid(), "level", "must be express or standard")
	broken.check(utf8.RuneCountInString(v.Address) <= 500, "address", "must be 500 characters at most")
	_, ok := tokenIn(v.Address)
	broken.check(ok, "address", "must hold no word tok_ that is not a token of the carrier")
	return broken
}

// checkPage reads the parameters of a statement.
func checkPage(r *http.Request) (after int64, limit int, broken rules) {
	query := r.URL.Query()
	after, limit = 0, 200
	var err error
	if s := query.Get("after"); s != "" {
		after, err = strconv.ParseInt(s, 10, 64)
		broken.check(err == nil && after >= 0, "after", "must be an integer of 0 or more")
	}
	if s := query.Get("limit"); s != "" {
		limit, err = strconv.Atoi(s)
		broken.check(err == nil && limit >= 1 && limit <= 1000, "limit", "must be 1 to 1000")
	}
	return after, limit, broken
}
