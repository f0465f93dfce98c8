package rabbit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// frameSize is what RabbitMQ offers by default.
const frameSize = 128 << 10

// dialer makes connections to one broker.
type dialer struct {
	cfg    Config
	target target
	name   string
}

// dial opens one connection to one host, in DialTimeout.
func (d *dialer) dial(ctx context.Context, host string) (*amqp.Connection, *wire, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.DialTimeout)
	defer cancel()
	conn, err := d.transport(ctx, host)
	if err != nil {
		return nil, nil, err
	}
	w := newWire(conn)
	// The library knows no context: closing the socket is how it is told.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c, err := amqp.Open(w, d.config())
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = w.Close()
		return nil, nil, err
	}
	return c, w, nil
}

// transport connects to host, with TLS if the URL says so.
func (d *dialer) transport(ctx context.Context, host string) (net.Conn, error) {
	plain := net.Dialer{KeepAlive: 15 * time.Second}
	conn, err := plain.DialContext(ctx, "tcp", host)
	if err != nil || !d.target.tls {
		return conn, err
	}
	cfg, err := d.tls(host)
	if err == nil {
		secure := tls.Client(conn, cfg)
		if err = secure.HandshakeContext(ctx); err == nil {
			return secure, nil
		}
	}
	return nil, errors.Join(err, conn.Close())
}

// tls reads the authority's file anew for each connection: certificates are replaced
// while processes run.
func (d *dialer) tls(host string) (*tls.Config, error) {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if d.cfg.CAFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(d.cfg.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read AMQP_CA_FILE: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("AMQP_CA_FILE holds no certificate")
	}
	return cfg, nil
}

func (d *dialer) config() amqp.Config {
	password := d.target.password
	if d.cfg.Password != "" {
		password = d.cfg.Password.Reveal()
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(d.name)
	return amqp.Config{
		SASL:       []amqp.Authentication{&amqp.PlainAuth{Username: d.target.user, Password: password}},
		Vhost:      d.target.vhost,
		Heartbeat:  d.cfg.Heartbeat,
		FrameSize:  frameSize,
		Locale:     "en_US",
		Properties: properties,
	}
}
