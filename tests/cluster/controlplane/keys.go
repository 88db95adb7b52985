package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	keyBits  = 2048
	lifetime = 7 * 24 * time.Hour
)

// writeKeys fills dir with ca.crt, apiserver.crt, apiserver.key and sa.key, so that every client can verify the
// server and service account tokens are real ones. The CA's private key is never written.
func writeKeys(dir string) error {
	authority, authorityKey, err := newAuthority()
	if err != nil {
		return err
	}
	serving, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	certificate, err := sign(servingTemplate(), authority, &serving.PublicKey, authorityKey)
	if err != nil {
		return err
	}
	accounts, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	files := map[string]*pem.Block{
		"ca.crt":        {Type: "CERTIFICATE", Bytes: authority.Raw},
		"apiserver.crt": {Type: "CERTIFICATE", Bytes: certificate.Raw},
		"apiserver.key": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(serving)},
		"sa.key":        {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(accounts)},
	}
	for name, block := range files {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func newAuthority() (*x509.Certificate, *rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, nil, err
	}
	template := template("control plane of the test lane")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	certificate, err := sign(template, template, &key.PublicKey, key)
	return certificate, key, err
}

func servingTemplate() *x509.Certificate {
	serving := template("kube-apiserver")
	serving.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	serving.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	serving.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	serving.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}
	return serving
}

func template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // The operating system has no randomness: nothing sensible can follow.
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(lifetime),
	}
}

func sign(child, parent *x509.Certificate, public *rsa.PublicKey, signer *rsa.PrivateKey) (*x509.Certificate, error) {
	raw, err := x509.CreateCertificate(rand.Reader, child, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(raw)
}
