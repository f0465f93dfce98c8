package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"parley.sh/services/kit/config"
)

// TestLogin publishes and consumes over every mechanism, with and without TLS.
func TestLogin(t *testing.T) {
	t.Parallel()
	pair, caFile := certificate(t)
	for _, mechanism := range []string{Plain, ScramSHA256, ScramSHA512} {
		for name, overTLS := range map[string]bool{"plaintext": false, "TLS": true} {
			t.Run(mechanism+" over "+name, func(t *testing.T) {
				t.Parallel()
				opts := []kfake.Opt{
					kfake.SeedTopics(1, "Things"), kfake.EnableSASL(), kfake.Superuser(mechanism, "parley", "secret"),
				}
				cfg := Config{SASLMechanism: mechanism, Username: "parley", Password: "secret"}
				if overTLS {
					opts = append(opts, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}))
					cfg.CAFile = caFile
				}
				cfg.Brokers = fakeCluster(t, opts...).ListenAddrs()
				var got seen
				testConsumer(t, cfg, things, got.handle)
				m := testMessage("Things", "key")
				publish(t, testPublisher(t, cfg), m)
				eventually(t, "the message to be handled", func() bool { return got.all(m) })
			})
		}
	}
}

// TestWrongPassword: a login that is refused shows in Err and does not end the client.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.EnableSASL(), kfake.Superuser(ScramSHA512, "parley", "secret"))
	cfg := Config{
		Brokers: cluster.ListenAddrs(), SASLMechanism: ScramSHA512, Username: "parley", Password: config.Secret("wrong"),
	}
	p := NewPublisher(cfg, testOptions(t))
	p.start()
	eventually(t, "Err to tell", func() bool { return p.Err() != nil && !errors.Is(p.Err(), errNotConnected) })
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// certificate makes a certificate for 127.0.0.1 that signs itself, and its file.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kafka"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
