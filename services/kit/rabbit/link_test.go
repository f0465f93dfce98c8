package rabbit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/servertest"
)

func TestSessionsHaveRisingEpochs(t *testing.T) {
	t.Parallel()
	tapped, cfg := newTap(t)
	p := startPublisher(t, cfg, Options{})
	before, err := p.link.wait(within(t))
	must(t, err)
	tapped.cut()
	<-before.done
	after, err := p.link.wait(within(t))
	must(t, err)
	if after == before || after.epoch != before.epoch+1 {
		t.Errorf("epoch %d follows %d", after.epoch, before.epoch)
	}
	if before.alive() || before.cause == nil {
		t.Error("the old session is not over")
	}
	if up, made := testutil.ToFloat64(p.link.up), testutil.ToFloat64(p.link.connections); up != 1 || made != 2 {
		t.Errorf("up %v, %v connections made", up, made)
	}
}

func TestNextHostIsTriedWhenOneIsAway(t *testing.T) {
	t.Parallel()
	closed := listen(t)
	must(t, closed.Close())
	u, err := url.Parse(servertest.AMQP(t))
	must(t, err)
	cfg := settings(t)
	u.Host = closed.Addr().String() + "," + u.Host
	cfg.URL = config.Secret(strings.Replace(servertest.AMQP(t), strings.Split(u.Host, ",")[1], u.Host, 1))
	cfg.ReconnectMin, cfg.ReconnectMax = time.Hour, time.Hour // one round must do
	for range 4 {
		p := NewPublisher(cfg, Options{})
		stop := run(t, p.Run)
		_, err := p.link.wait(within(t))
		must(t, err)
		stop()
	}
}

func TestPasswordApartFromTheURL(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(servertest.AMQP(t))
	must(t, err)
	password, _ := u.User.Password()
	u.User = url.User(u.User.Username())
	cfg := settings(t)
	cfg.URL, cfg.Password = config.Secret(u.String()), config.Secret(password)
	_, err = startPublisher(t, cfg, Options{}).link.wait(within(t))
	must(t, err)

	cfg.Password = "wrong"
	var log bytes.Buffer
	refused := NewPublisher(cfg, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	stop := run(t, refused.Run)
	eventually(t, "the refusal to show", func() bool {
		var e *amqp.Error
		return errors.As(refused.Err(), &e) && e.Code == amqp.AccessRefused
	})
	stop()
	if strings.Contains(log.String(), "wrong") || strings.Contains(log.String(), password+"@") {
		t.Errorf("a password was logged: %s", &log)
	}
}

func TestBrokerSeesTheName(t *testing.T) {
	t.Parallel()
	name := servertest.Name(t)
	startPublisher(t, settings(t), Options{Name: name})
	eventually(t, "the connection to be listed", func() bool {
		return len(connectionsOf(t, name+" publisher @")) == 1
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(servertest.AMQP(t))
	must(t, err)
	ca, address := terminateTLS(t, u.Host)
	u.Scheme, u.Host = "amqps", address
	cfg := settings(t)
	cfg.URL, cfg.CAFile = config.Secret(u.String()), ca
	_, err = startPublisher(t, cfg, Options{}).link.wait(within(t))
	must(t, err)

	for name, file := range map[string]string{
		"the system's authorities": "", "no file": filepath.Join(t.TempDir(), "none"), "no certificate": os.DevNull,
	} {
		cfg.CAFile = file
		p := startPublisher(t, cfg, Options{})
		eventually(t, "the refusal to show with "+name, func() bool {
			err := p.Err()
			return fault.Is(err, fault.Unavailable) && !errors.Is(err, errNotStarted)
		})
	}
}

// terminateTLS listens with a certificate of its own making before host. It returns
// the file of the authority.
func terminateTLS(t *testing.T, host string) (ca, address string) {
	t.Helper()
	cert, pemBytes := selfSigned(t)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pemBytes, 0o600))
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12,
	})
	must(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { splice(client, host) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	return ca, listener.Addr().String()
}

// splice carries bytes between a client and host until one of them ends.
func splice(client net.Conn, host string) {
	defer func() { _ = client.Close() }()
	server, err := dialPlain(host)
	if err != nil {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
	_ = client.Close()
	up.Wait()
}

func selfSigned(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestBackoffDoublesWithJitterAndStartsOver(t *testing.T) {
	t.Parallel()
	b := backoff{low: 100 * time.Millisecond, high: time.Second}
	for _, whole := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		whole *= time.Millisecond
		if got := b.next(); got < whole/2 || got > whole {
			t.Errorf("pause of %v, want %v to %v", got, whole/2, whole)
		}
	}
	b.lasted(999 * time.Millisecond)
	if got := b.next(); got < 500*time.Millisecond {
		t.Errorf("pause of %v after a short session", got)
	}
	b.lasted(time.Second)
	if got := b.next(); got > 100*time.Millisecond {
		t.Errorf("pause of %v after a long session", got)
	}
}

func TestPauseEndsWithItsContextOrItsStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if !pause(t.Context(), time.Minute, nil) || time.Since(start) != time.Minute {
			t.Errorf("a minute took %v", time.Since(start))
		}
		stop := make(chan struct{})
		close(stop)
		if pause(t.Context(), time.Hour, stop) {
			t.Error("a stopped pause went on")
		}
	})
}

func TestTrafficWaitsForCallsInProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls traffic
		for range 2 {
			if !calls.enter() {
				t.Fatal("closed from the beginning")
			}
		}
		quiet := calls.stop()
		if calls.enter() {
			t.Error("a call began after the stop")
		}
		go func() {
			for range 2 {
				<-time.After(time.Second)
				calls.leave()
			}
		}()
		start := time.Now()
		<-quiet
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("quiet after %v, want 2s", d)
		}
	})
}
