// Package provider calls the payment provider.
package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"parley.sh/hack/sim/client"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/machine"
)

// Provider is the payment provider behind a resilient client.
type Provider struct {
	api *client.ClientWithResponses
}

var _ payment.Provider = (*Provider)(nil)

// New returns the provider that c calls.
func New(c *rest.Client) (*Provider, error) {
	api, err := client.NewClientWithResponses(c.URL(), client.WithHTTPClient(c))
	if err != nil {
		return nil, fmt.Errorf("make the provider's client: %w", err)
	}
	return &Provider{api: api}, nil
}

// Call implements payment.Provider. Every attempt of an intent has the same key.
func (p *Provider) Call(ctx context.Context, i payment.Intent) (payment.Result, error) {
	answer, err := p.send(ctx, i)
	if err := rest.Check(answer.response, answer.body, err); err != nil {
		return refusal(i.Kind, err)
	}
	if answer.payment == nil || answer.payment.AuthorizationId == "" || answer.payment.OrderId != i.OrderID {
		return payment.Result{}, fault.New(fault.Internal, "the provider answered without the order's payment")
	}
	return payment.Result{Answer: machine.Done, ProviderRef: answer.payment.AuthorizationId}, nil
}

// answer is what all operations of the provider have in common.
type answer struct {
	response *http.Response
	body     []byte
	payment  *client.Payment
}

func (p *Provider) send(ctx context.Context, i payment.Intent) (answer, error) {
	reference := client.Reference{AuthorizationId: &i.ProviderRef}
	switch i.Kind {
	case machine.Authorize:
		r, err := p.api.AuthorizePaymentWithResponse(ctx, &client.AuthorizePaymentParams{IdempotencyKey: i.ID()}, client.Authorize{
			OrderId: i.OrderID, Token: i.Token,
			Amount: client.Money{AmountMinor: i.Amount.Minor, Currency: i.Amount.Currency},
		})
		if err != nil {
			return answer{}, err
		}
		return answer{r.HTTPResponse, r.Body, r.JSON200}, nil
	case machine.Capture:
		r, err := p.api.CapturePaymentWithResponse(ctx, &client.CapturePaymentParams{IdempotencyKey: i.ID()}, reference)
		if err != nil {
			return answer{}, err
		}
		return answer{r.HTTPResponse, r.Body, r.JSON200}, nil
	case machine.Void:
		r, err := p.api.VoidPaymentWithResponse(ctx, &client.VoidPaymentParams{IdempotencyKey: i.ID()}, reference)
		if err != nil {
			return answer{}, err
		}
		return answer{r.HTTPResponse, r.Body, r.JSON200}, nil
	case machine.Refund:
		r, err := p.api.RefundPaymentWithResponse(ctx, &client.RefundPaymentParams{IdempotencyKey: i.ID()}, reference)
		if err != nil {
			return answer{}, err
		}
		return answer{r.HTTPResponse, r.Body, r.JSON200}, nil
	case machine.NoIntent:
	}
	return answer{}, fault.Newf(fault.Internal, "no call for intent %q", i.Kind)
}

// refusal tells the definite answers among the provider's errors. Everything else
// leaves the outcome unknown: a timeout, a 5xx, a 429, an open breaker, and also an
// answer that we do not understand.
func refusal(kind machine.Intent, err error) (payment.Result, error) {
	var problem *rest.Problem
	if fault.Is(err, fault.Unavailable) || !errors.As(err, &problem) {
		return payment.Result{}, err
	}
	code := client.Code(problem.Code)
	switch {
	case problem.Status == http.StatusPaymentRequired && code == client.CodeDeclined:
		return payment.Result{Answer: machine.Refused}, nil
	case kind == machine.Authorize && problem.Status == http.StatusBadRequest:
		// What the provider finds malformed was not done and never will be: the token is
		// the customer's.
		return payment.Result{Answer: machine.Refused}, nil
	case problem.Status == http.StatusConflict && doneBefore(kind, code):
		return payment.Result{Answer: machine.Done}, nil
	}
	// Not a business fact, and not bad input of ours either: a human must look.
	return payment.Result{}, fault.Wrap(fault.Internal, err, "the provider's answer is not in the protocol")
}

// doneBefore reports whether a conflict says that the intent's effect is there.
func doneBefore(kind machine.Intent, code client.Code) bool {
	switch kind {
	case machine.Void:
		return code == client.CodeAlreadyDone || code == client.CodeVoided
	case machine.Refund:
		return code == client.CodeAlreadyDone || code == client.CodeRefunded
	case machine.Authorize, machine.Capture, machine.NoIntent:
	}
	return false
}
