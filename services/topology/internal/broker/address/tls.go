package address

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLSConfig reads the files that the address names. It is nil when the address
// uses no TLS at all, neither for the broker nor for its management.
func (a Address) TLSConfig() (*tls.Config, error) {
	if !a.TLS && a.CA == "" && a.Cert == "" {
		return nil, nil //nolint:nilnil // no TLS is a fact, not a failure
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.CA != "" {
		pem, err := os.ReadFile(a.CA)
		if err != nil {
			return nil, fmt.Errorf("read the authorities: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the authorities: %s holds no PEM certificate", a.CA)
		}
	}
	if a.Cert == "" {
		return out, nil
	}
	pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
	if err != nil {
		return nil, fmt.Errorf("read the client's certificate: %w", err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}
