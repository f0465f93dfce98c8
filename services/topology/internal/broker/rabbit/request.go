package rabbit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"parley.sh/services/kit/fault"
)

// maxAnswer bounds what is read of one answer: the definitions of a vhost with a
// hundred thousand objects.
const maxAnswer = 256 << 20

// call is one request to the management API.
type call struct {
	method string
	// path are the segments after /api, as they are.
	path  []string
	query string
	// body is sent as JSON unless nil.
	body any
	// out is filled from the answer unless nil.
	out any
	// absent is fine: 404 is no error.
	absent bool
}

func (s *Session) do(ctx context.Context, c call) error {
	request, err := s.request(ctx, c)
	if err != nil {
		return err
	}
	answer, err := s.http.Do(request)
	if err != nil {
		return s.unreachable(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return s.unreachable(err)
	}
	switch {
	case answer.StatusCode == http.StatusNotFound && c.absent:
		return nil
	case answer.StatusCode >= http.StatusMultipleChoices:
		return s.refused(answer.StatusCode, body)
	case c.out == nil:
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(c.out); err != nil {
		return fault.Wrap(fault.Unavailable, err,
			"the management API answered what is no JSON; is "+s.address.Management+" a RabbitMQ?")
	}
	return nil
}

func (s *Session) request(ctx context.Context, c call) (*http.Request, error) {
	target := s.address.Management + "/api"
	for _, segment := range c.path {
		target += "/" + escape(segment)
	}
	if c.query != "" {
		target += "?" + c.query
	}
	var body io.Reader
	if c.body != nil {
		data, err := json.Marshal(c.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, c.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.SetBasicAuth(s.address.User, s.password())
	return request, nil
}

// password is the one that was given, or what every new RabbitMQ knows: guest may
// come in from its own machine.
func (s *Session) password() string {
	if s.address.Password == "" && s.address.User == "guest" {
		return "guest"
	}
	return s.address.Password.Reveal()
}

// escape makes a segment of a path of any name, also of "." and "..", which
// servers would follow.
func escape(segment string) string {
	if segment == "." || segment == ".." {
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	return url.PathEscape(segment)
}

func (s *Session) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fault.Wrap(fault.Unavailable, err, "the management API at "+s.address.Management+
		" cannot be reached: check that the broker runs, its management plugin is on and ?management= is right")
}

// refused says what the broker said, and what can be done about it.
func (s *Session) refused(status int, body []byte) error {
	answer := struct {
		Error  string `json:"error"`
		Reason any    `json:"reason"`
	}{}
	said := strings.TrimSpace(string(body))
	if json.Unmarshal(body, &answer) == nil && answer.Reason != nil {
		said = fmt.Sprint(answer.Reason)
	}
	if len(said) > 1024 {
		said = said[:1024] + "..."
	}
	kind, advice := advise(status, s.address.User, said)
	return fault.Newf(kind, "the broker said %d, %q: %s", status, said, advice)
}

func advise(status int, user, said string) (fault.Kind, string) {
	switch {
	case status == http.StatusUnauthorized && said == "Not_Authorized":
		return fault.Invalid, "user or password is wrong, or user " + user + " lacks a tag (policymaker) or a right"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fault.Invalid, "give user " + user + " the tag policymaker and the rights on the vhost"
	case strings.Contains(said, "vhost_not_found"):
		return fault.NotFound, "make the vhost (rabbitmqctl add_vhost) or correct spec.vhost"
	case strings.Contains(said, "inequivalent"):
		return fault.Invalid, "it was made otherwise meanwhile: plan again"
	case status == http.StatusNotFound:
		return fault.NotFound, "what it needs is not there: plan again"
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return fault.Unavailable, "apply again when the broker is well"
	}
	return fault.Invalid, "correct the field that it names"
}
