package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/IBM/sarama"
)

// version is the newest protocol that is spoken; each connection agrees on what
// its broker knows.
var version = sarama.V4_1_0_0

// client returns the settings that all clients share. No client is ever shared
// between producing, reading, group membership and commits: sarama holds a
// broker's lock for a whole round trip, so a long poll delays whatever else uses
// the same client (997 ms a commit were measured).
func (c Config) client() (*sarama.Config, error) {
	s := sarama.NewConfig()
	s.Version = version
	s.ClientID = c.ClientID
	s.MetricRegistry = noMetrics{}
	s.Net.DialTimeout = c.DialTimeout
	s.Net.ReadTimeout = c.RequestTimeout
	s.Net.WriteTimeout = c.RequestTimeout
	s.Net.Proxy.Enable = true
	s.Net.Proxy.Dialer = c.dialer()
	s.Metadata.Full = false
	s.Metadata.AllowAutoTopicCreation = false
	s.Metadata.Timeout = c.RequestTimeout
	s.Metadata.RefreshFrequency = time.Minute // how late new partitions are noticed
	if err := c.secure(s); err != nil {
		return nil, err
	}
	return s, nil
}

// dialer notices a peer that vanished without a word after 20 seconds.
func (c Config) dialer() *net.Dialer {
	return &net.Dialer{
		Timeout: c.DialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 3,
		},
	}
}

func (c Config) secure(s *sarama.Config) error {
	if c.TLS || c.CAFile != "" {
		roots, err := c.roots()
		if err != nil {
			return err
		}
		s.Net.TLS.Enable = true
		s.Net.TLS.Config = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	if c.SASLMechanism == "" {
		return nil
	}
	s.Net.SASL.Enable = true
	s.Net.SASL.Mechanism = sarama.SASLMechanism(c.SASLMechanism)
	s.Net.SASL.User = c.Username
	s.Net.SASL.Password = c.Password.Reveal()
	s.Net.SASL.SCRAMClientGeneratorFunc = scramClients(c.SASLMechanism)
	return nil
}

// roots returns nil for the system's certificates.
func (c Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read KAFKA_CA_FILE: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read KAFKA_CA_FILE: %s holds no PEM certificate", c.CAFile)
	}
	return pool, nil
}
