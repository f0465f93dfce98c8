package rabbit

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"parley.sh/services/kit/config"
)

// target is what an AMQP URL says.
type target struct {
	tls      bool
	user     string
	password string
	vhost    string
	hosts    []string // host:port, at least one
}

// parseURL reads amqp[s]://user:password@host:port[,host:port...]/vhost. The error
// is a problem of AMQP_URL and does not repeat the value. net/url cannot be asked
// about the whole, because it accepts one host only.
func parseURL(raw string) (target, error) {
	var t target
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || scheme != "amqp" && scheme != "amqps" {
		return t, badURL("is not an AMQP URL")
	}
	t.tls = scheme == "amqps"
	authority, path, _ := strings.Cut(rest, "/")
	userinfo, hosts := "", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		userinfo, hosts = authority[:at], authority[at+1:]
	}
	if strings.ContainsAny(hosts+path, "?#") {
		return t, badURL("has parameters, which are not read")
	}
	if err := t.readPeople(userinfo, path); err != nil {
		return t, err
	}
	for host := range strings.SplitSeq(hosts, ",") {
		address, err := hostPort(host, t.tls)
		if err != nil {
			return t, err
		}
		t.hosts = append(t.hosts, address)
	}
	return t, nil
}

// readPeople reads who logs in to which virtual host.
func (t *target) readPeople(userinfo, path string) error {
	name, password, _ := strings.Cut(userinfo, ":")
	var errs [3]error
	t.user, errs[0] = url.PathUnescape(name)
	t.password, errs[1] = url.PathUnescape(password)
	t.vhost, errs[2] = url.PathUnescape(path)
	for _, err := range errs {
		if err != nil {
			return badURL("holds a broken percent escape")
		}
	}
	if t.user == "" {
		t.user = "guest"
	}
	if t.vhost == "" {
		t.vhost = "/"
	}
	return nil
}

// hostPort completes host or host:port with the scheme's port.
func hostPort(host string, tls bool) (string, error) {
	port := "5672"
	if tls {
		port = "5671"
	}
	u, err := url.Parse("amqp://" + host)
	if err != nil || u.Hostname() == "" || u.Host != host {
		return "", badURL("names a host that is none")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", badURL("names a port that is none")
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

func badURL(what string) error {
	return config.Invalid("AMQP_URL", what, "give amqp[s]://user@host:port[,host:port...]/vhost")
}
