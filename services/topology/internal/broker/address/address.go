package address

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"parley.sh/services/kit/config"
)

// Protocol is what a broker speaks.
type Protocol string

// The protocols.
const (
	Kafka Protocol = "kafka"
	AMQP  Protocol = "amqp"
)

// The mechanisms by which a Kafka asks who is there.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// Address is where a broker is and how to come in. Printing it shows no password.
type Address struct {
	Protocol Protocol
	TLS      bool
	// Hosts are host:port; a Kafka can have several to begin with.
	Hosts    []string
	User     string
	Password config.Secret
	// Mechanism of a Kafka with a user; empty for none.
	Mechanism string
	// Vhost of objects that name none; "/" unless the URL says otherwise.
	Vhost string
	// Management is the URL of RabbitMQ's HTTP API, without "/api".
	Management string
	// CA is a PEM file with the authorities to trust instead of the system's. Cert
	// and Key are PEM files that prove who the client is.
	CA, Cert, Key string
}

// String is the address without its secrets.
func (a Address) String() string {
	scheme := string(a.Protocol)
	if a.TLS {
		scheme += "s"
	}
	user := ""
	if a.User != "" {
		user = url.User(a.User).String() + "@"
	}
	path := ""
	if a.Protocol == AMQP && a.Vhost != "/" {
		path = "/" + url.PathEscape(a.Vhost)
	}
	return scheme + "://" + user + strings.Join(a.Hosts, ",") + path
}

// ErrPassword is the error of a URL that holds a password where it may not.
var ErrPassword = errors.New("the URL holds a password, which every user of this machine can read there: " +
	"leave it out of the URL and set it in the environment")

// Parse reads a URL that holds no password.
func Parse(raw string) (Address, error) {
	a, err := ParseSecret(raw)
	if err == nil && a.Password != "" {
		return Address{}, ErrPassword
	}
	return a, err
}

// ParseSecret reads a URL that may hold a password, as the environment may give
// it. Errors quote nothing of the URL that could be one.
func ParseSecret(raw string) (Address, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return Address{}, errors.New("is no URL: it must begin with kafka://, kafkas://, amqp:// or amqps://")
	}
	a := Address{}
	switch scheme {
	case "kafka", "kafkas":
		a.Protocol, a.TLS = Kafka, scheme == "kafkas"
	case "amqp", "amqps":
		a.Protocol, a.TLS = AMQP, scheme == "amqps"
	default:
		return Address{}, fmt.Errorf("has scheme %q: it must be kafka, kafkas, amqp or amqps", scheme)
	}
	if err := a.parse(rest); err != nil {
		return Address{}, err
	}
	return a, nil
}

func (a *Address) parse(rest string) error {
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		if err := a.credentials(authority[:i]); err != nil {
			return err
		}
		authority = authority[i+1:]
	}
	if err := a.hosts(authority); err != nil {
		return err
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("has a broken query: write ?name=value&name=value, with %26 for \"&\" inside a value")
	}
	if a.Protocol == Kafka {
		return a.kafka(path, values)
	}
	return a.amqp(path, values)
}

func (a *Address) credentials(text string) error {
	name, password, _ := strings.Cut(text, ":")
	user, err := url.PathUnescape(name)
	if err != nil {
		return errors.New("has a broken escape in the user: write % as %25")
	}
	secret, err := url.PathUnescape(password)
	if err != nil {
		return errors.New("has a broken escape in the password: write % as %25")
	}
	a.User, a.Password = user, config.Secret(secret)
	return nil
}

func (a *Address) defaultPort() string {
	switch {
	case a.Protocol == Kafka && a.TLS:
		return "9093"
	case a.Protocol == Kafka:
		return "9092"
	case a.TLS:
		return "5671"
	}
	return "5672"
}

// hostPort is a name, an IPv4 address or an IPv6 address in brackets, and a port.
var hostPort = regexp.MustCompile(`^(?:([A-Za-z0-9._-]+)|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}))?$`)

func (a *Address) hosts(authority string) error {
	for text := range strings.SplitSeq(authority, ",") {
		m := hostPort.FindStringSubmatch(text)
		if m == nil {
			return errors.New("names no host: write host:port after ://")
		}
		if _, err := netip.ParseAddr(m[2]); m[2] != "" && err != nil {
			return errors.New("names no host: what stands in brackets must be an IPv6 address")
		}
		port := cmp.Or(m[3], a.defaultPort())
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errors.New("has a port that is none: it must be 1 to 65535")
		}
		a.Hosts = append(a.Hosts, net.JoinHostPort(m[1]+m[2], port))
	}
	if a.Protocol == AMQP && len(a.Hosts) > 1 {
		return errors.New("names several hosts: RabbitMQ takes one; name a load balancer or one node")
	}
	return nil
}

func (a *Address) kafka(path string, values url.Values) error {
	if path != "" {
		return errors.New("has a path: a Kafka has none, leave it out")
	}
	if err := known(values, "mechanism", "ca", "cert", "key"); err != nil {
		return err
	}
	a.Mechanism = strings.ToUpper(values.Get("mechanism"))
	switch {
	case a.User == "" && a.Mechanism != "":
		return errors.New("has a mechanism but no user: write user@ before the host")
	case a.User != "" && a.Mechanism == "":
		a.Mechanism = ScramSHA512
	}
	if a.Mechanism != "" && !slices.Contains([]string{Plain, ScramSHA256, ScramSHA512}, a.Mechanism) {
		return fmt.Errorf("has mechanism %q: it must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", a.Mechanism)
	}
	return a.files(values)
}

func (a *Address) amqp(path string, values url.Values) error {
	if err := known(values, "management", "ca", "cert", "key"); err != nil {
		return err
	}
	vhost, err := url.PathUnescape(path)
	if err != nil {
		return errors.New("has a broken escape in the vhost: write % as %25")
	}
	a.Vhost = "/"
	if vhost != "" {
		a.Vhost = vhost
	}
	if a.User == "" {
		a.User = "guest"
	}
	a.Management = values.Get("management")
	if err := a.management(); err != nil {
		return err
	}
	return a.files(values)
}

// management checks the URL of the HTTP API, or works it out from the host.
func (a *Address) management() error {
	if a.Management == "" {
		host, _, _ := net.SplitHostPort(a.Hosts[0])
		a.Management = "http://" + net.JoinHostPort(host, "15672")
		if a.TLS {
			a.Management = "https://" + net.JoinHostPort(host, "15671")
		}
		return nil
	}
	u, err := url.Parse(a.Management)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" {
		return errors.New("has a broken management: it must be http://host:port or https://host:port")
	}
	if u.User != nil {
		return errors.New("has a user in management: it is the one before the host, leave it out there")
	}
	a.Management = strings.TrimSuffix(strings.TrimSuffix(a.Management, "/"), "/api")
	return nil
}

func (a *Address) files(values url.Values) error {
	a.CA, a.Cert, a.Key = values.Get("ca"), values.Get("cert"), values.Get("key")
	secure := a.TLS || strings.HasPrefix(a.Management, "https:")
	if (a.CA != "" || a.Cert != "") && !secure {
		return fmt.Errorf("has ca or cert without TLS: use %ss://", a.Protocol)
	}
	if (a.Cert == "") != (a.Key == "") {
		return errors.New("has cert or key without the other: give both")
	}
	return nil
}

func known(values url.Values, names ...string) error {
	for name, list := range values {
		if !slices.Contains(names, name) {
			return fmt.Errorf("has an unknown parameter %q: it takes %s", name, strings.Join(names, ", "))
		}
		if len(list) > 1 {
			return fmt.Errorf("has parameter %q twice: give it once", name)
		}
	}
	return nil
}
