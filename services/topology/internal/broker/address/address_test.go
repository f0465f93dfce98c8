package address_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/topology/internal/broker/address"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]address.Address{
		"kafka://a": {Protocol: address.Kafka, Hosts: []string{"a:9092"}},
		"kafkas://u%40x@a:1,b,[::1]:2?mechanism=plain&ca=/ca.pem": {
			Protocol: address.Kafka, TLS: true, Hosts: []string{"a:1", "b:9093", "[::1]:2"},
			User: "u@x", Mechanism: address.Plain, CA: "/ca.pem",
		},
		"kafka://u@a:1": {Protocol: address.Kafka, Hosts: []string{"a:1"}, User: "u", Mechanism: address.ScramSHA512},
		"amqp://a": {
			Protocol: address.AMQP, Hosts: []string{"a:5672"}, User: "guest", Vhost: "/", Management: "http://a:15672",
		},
		"amqp://u@a:1/?management=http://b:2/": {
			Protocol: address.AMQP, Hosts: []string{"a:1"}, User: "u", Vhost: "/", Management: "http://b:2",
		},
		"amqp://u@a/%2F": {Protocol: address.AMQP, Hosts: []string{"a:5672"}, User: "u", Vhost: "/", Management: "http://a:15672"},
		"amqps://u@[::1]/shop%2fa?ca=f&cert=c&key=k": {
			Protocol: address.AMQP, TLS: true, Hosts: []string{"[::1]:5671"}, User: "u", Vhost: "shop/a",
			Management: "https://[::1]:15671", CA: "f", Cert: "c", Key: "k",
		},
		"amqp://u@a?management=https://b/prefix/api&ca=f": {
			Protocol: address.AMQP, Hosts: []string{"a:5672"}, User: "u", Vhost: "/", Management: "https://b/prefix", CA: "f",
		},
	}
	for raw, want := range tests {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			got, err := address.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "a:9092", "http://a", "kafka://", "kafka:///", "kafka://a,", "kafka://a:x", "kafka://a:99999x", "kafka://a/topic",
		"kafka://a?x=1", "kafka://a?ca=f", "kafka://a?mechanism=PLAIN", "kafka://u@a?mechanism=MD5", "kafkas://a?cert=c",
		"kafka://a?mechanism=PLAIN&mechanism=PLAIN", "amqp://a,b", "amqp://a?management=ftp://b", "amqp://a?management=b:1",
		"amqp://a?management=http://u:p@b", "amqp://a/%zz", "amqp://%zz@a", "amqp://a?%zz", "amqp://a?management=http://b%3Fc=d",
		"amqp://a b", "kafka://a#b",
	} {
		if got, err := address.Parse(raw); err == nil {
			t.Errorf("%q is taken for %s", raw, got)
		}
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	const secret = "s3cr%23t"
	for _, raw := range []string{"amqp://u:" + secret + "@a", "kafka://u:" + secret + "@a:1,b:2", "amqp://:" + secret + "@a"} {
		if _, err := address.Parse(raw); !errors.Is(err, address.ErrPassword) {
			t.Errorf("%s: %v", raw, err)
		}
		a, err := address.ParseSecret(raw)
		if err != nil || a.Password.Reveal() != "s3cr#t" {
			t.Errorf("%s: password %q, %v", raw, a.Password.Reveal(), err)
		}
		for _, shown := range []string{a.String(), fmt.Sprintf("%v %+v", a, a)} {
			if strings.Contains(shown, "s3cr") {
				t.Errorf("%s is shown as %s", raw, shown)
			}
		}
	}
}

// Whatever is given: no panic, no password in what is shown or in an error, and
// what is shown reads as the same address.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"kafka://a:1,b:2?ca=f", "amqps://u@h:1/v?management=https://h:2&ca=f", "amqp://u:SECRET@h", "kafka://u:SECRET@h?mechanism=PLAIN",
		"amqp://SECRET:SECRET@SECRET", "amqp://[::1]:5/%2f", "kafka://u:SEC@RET@h",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := address.ParseSecret(raw)
		if err != nil {
			return
		}
		password := a.Password.Reveal()
		if len(password) > 4 && strings.Contains(a.String(), password) && !strings.Contains(raw[strings.LastIndex(raw, "@"):], password) &&
			!strings.Contains(a.User, password) {
			t.Errorf("%q is shown as %s", raw, a)
		}
		if len(a.Hosts) == 0 || (a.Protocol == address.AMQP && (a.Vhost == "" || a.Management == "")) {
			t.Errorf("%q is %+v", raw, a)
		}
		again, err := address.ParseSecret(a.String())
		if err != nil {
			t.Fatalf("%q is shown as %q, which is refused: %v", raw, a, err)
		}
		if again.String() != a.String() {
			t.Errorf("%q is shown as %q, then as %q", raw, a, again)
		}
	})
}
