package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/broker"
	"parley.sh/services/topology/internal/broker/address"
	"parley.sh/services/topology/internal/broker/kafka"
	"parley.sh/services/topology/internal/plan"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	certificate, ca := selfSigned(t)
	for _, mechanism := range []string{address.Plain, address.ScramSHA256, address.ScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			cluster, err := kfake.NewCluster(
				kfake.NumBrokers(2), kfake.EnableSASL(), kfake.Superuser(mechanism, "topology", "secret"),
				kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}),
			)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			a := address.Address{
				Protocol: address.Kafka, TLS: true, Hosts: cluster.ListenAddrs(), CA: ca,
				User: "topology", Password: config.Secret("secret"), Mechanism: mechanism,
			}
			if err := try(t, a); err != nil {
				t.Errorf("come in: %v", err)
			}
			a.Password = "wrong"
			if err := try(t, a); err == nil {
				t.Error("a wrong password comes in")
			}
			a.Password, a.CA = "secret", ""
			if err := try(t, a); !fault.Is(err, fault.Unavailable) {
				t.Errorf("with an unknown authority: %v", err)
			}
		})
	}
}

// try makes one topic.
func try(t *testing.T, a address.Address) error {
	t.Helper()
	s, err := kafka.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := plan.Desired{Topics: []plan.WantTopic{{Topic: plan.Topic{Name: "t", Partitions: 1}}}}
	results, err := broker.Apply(t.Context(), s, want, broker.Options{})
	for _, r := range results {
		if r.Outcome != broker.Done {
			t.Errorf("%s is %s: %v", r.Step.Key, r.Outcome, r.Err)
		}
	}
	return err
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]address.Address{
		"no authorities":        {TLS: true, CA: "/nowhere/ca.pem"},
		"authorities are empty": {TLS: true, CA: empty},
		"no certificate":        {TLS: true, Cert: empty, Key: empty},
	} {
		if _, err := kafka.Open(a); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// selfSigned is a certificate of 127.0.0.1 and the file of its authority.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
