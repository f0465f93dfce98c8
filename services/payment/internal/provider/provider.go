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
	if answer.payment == nil {
		return payment.Result{}, fault.New(fault.Internal, "the provider answered without a payment")
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
	if !errors.As(err, &problem) {
		return payment.Result{}, err
	}
	code := client.Code(problem.Code)
	switch kind {
	case machine.Authorize:
		// An authorization that the provider finds malformed was not made and never
		// will be: the token is the customer's.
		if code == client.CodeDeclined || problem.Status == http.StatusBadRequest {
			return payment.Result{Answer: machine.Refused}, nil
		}
	case machine.Void:
		if code == client.CodeAlreadyDone || code == client.CodeVoided {
			return payment.Result{Answer: machine.Done}, nil
		}
	case machine.Refund:
		if code == client.CodeAlreadyDone || code == client.CodeRefunded {
			return payment.Result{Answer: machine.Done}, nil
		}
	case machine.Capture, machine.NoIntent:
	}
	if code == client.CodeDeclined {
		return payment.Result{Answer: machine.Refused}, nil
	}
	return payment.Result{}, unknown(err)
}

// unknown keeps an answer that is not in the protocol from being taken for a
// business fact or for bad input of ours: a human must look.
func unknown(err error) error {
	if fault.Is(err, fault.Unavailable) {
		return err
	}
	return fault.Wrap(fault.Internal, err, "the provider's answer is not in the protocol")
}
