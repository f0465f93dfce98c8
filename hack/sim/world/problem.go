package world

import (
	"encoding/json"
	"fmt"
	"net/http"

	"parley.sh/hack/sim/client"
)

// The refusals. Their texts name rules, never values.
var (
	keyReused    = problem(http.StatusUnprocessableEntity, client.CodeKeyReused, "the key was used with other parameters")
	flakyFailure = problem(http.StatusServiceUnavailable, client.CodeUnavailable, "nothing was done; try again")
	unknown      = problem(http.StatusNotFound, client.CodeUnknownPayment, "no such authorization or order")
	ambiguous    = problem(http.StatusConflict, client.CodeAmbiguous,
		"the order has several authorizations; name one by authorizationId")
	refusal     = problem(http.StatusPaymentRequired, client.CodeDeclined, "refused for good")
	alreadyDone = problem(http.StatusConflict, client.CodeAlreadyDone, "done before, under another key")
	notCaptured = problem(http.StatusConflict, client.CodeNotCaptured, "only what was captured is given back")
	isCaptured  = problem(http.StatusConflict, client.CodeCaptured, "it was captured; refund it")
	isVoided    = problem(http.StatusConflict, client.CodeVoided, "the authorization was let go of")
	isRefunded  = problem(http.StatusConflict, client.CodeRefunded, "the amount was given back")
	broken      = problem(http.StatusInternalServerError, client.CodeInternal, "a defect; nothing was done")
	stopping    = problem(http.StatusServiceUnavailable, client.CodeUnavailable, "stopping; try again")
	noRoute     = problem(http.StatusNotFound, client.CodeInvalid, "no such path")
	noMethod    = problem(http.StatusMethodNotAllowed, client.CodeInvalid, "the path has other methods; see Allow")
	notJSON     = problem(http.StatusUnsupportedMediaType, client.CodeInvalid, "the body must be application/json")
	tooLarge    = problem(http.StatusRequestEntityTooLarge, client.CodeInvalid, "the body is longer than 64 KiB")
	malformed   = problem(http.StatusBadRequest, client.CodeInvalid, "the body is not one JSON document of the schema")
)

func problem(status int, code client.Code, detail string) client.Problem {
	return client.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: &detail,
	}
}

// invalid names each field and the rule that it breaks.
func invalid(fields []client.FieldError) client.Problem {
	p := problem(http.StatusBadRequest, client.CodeInvalid, "the request breaks rules")
	p.Errors = &fields
	return p
}

func problemAnswer(p client.Problem) (answer, error) { return encode(p.Status, p) }

func encode(status int, v any) (answer, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return answer{}, fmt.Errorf("encode an answer: %w", err)
	}
	return answer{Status: status, Body: raw}, nil
}
