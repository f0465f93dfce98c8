package rabbit

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/topology/internal/broker"
	"parley.sh/services/topology/internal/broker/address"
	"parley.sh/services/topology/internal/plan"
)

const (
	// inFlight bounds the requests that run at once.
	inFlight = 16
	// requestTimeout bounds one request to the management API.
	requestTimeout = 30 * time.Second
	dialTimeout    = 5 * time.Second
)

var _ broker.Session = (*Session)(nil)

// Session is a broker.Session of a RabbitMQ.
type Session struct {
	address address.Address
	http    *http.Client
	amqp    map[string]*amqp.Connection
}

// Open returns a session. It connects when it is first used; an error means that
// the address itself cannot be used.
func Open(a address.Address) (*Session, error) {
	tls, err := a.TLSConfig()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig:     tls,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: inFlight,
		MaxConnsPerHost:     inFlight,
		ForceAttemptHTTP2:   false,
	}
	return &Session{
		address: a,
		http:    &http.Client{Transport: transport, Timeout: requestTimeout},
		amqp:    map[string]*amqp.Connection{},
	}, nil
}

// Close implements broker.Session.
func (s *Session) Close() error {
	s.http.CloseIdleConnections()
	for vhost, c := range s.amqp {
		_ = c.Close()
		delete(s.amqp, vhost)
	}
	return nil
}

// Check implements broker.Session: RabbitMQ has no dry run.
func (s *Session) Check(_ context.Context, steps []plan.Step) []error {
	return make([]error, len(steps))
}

// Execute implements broker.Session.
func (s *Session) Execute(ctx context.Context, steps []plan.Step) []error {
	errs := make([]error, len(steps))
	slots := make(chan struct{}, inFlight)
	var wait sync.WaitGroup
	for i := range steps {
		if steps[i].OnlyIfEmpty {
			// AMQP connections are not shared between goroutines.
			errs[i] = s.deleteEmpty(ctx, steps[i])
			continue
		}
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			errs[i] = s.execute(ctx, steps[i])
		})
	}
	wait.Wait()
	return errs
}
