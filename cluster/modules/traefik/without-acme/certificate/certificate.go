// Package certificate obtains none.
package certificate

import "errors"

// Resource is a certificate.
type Resource struct {
	Domain                  string
	PrivateKey, Certificate []byte
}

// ObtainRequest asks for a certificate.
type ObtainRequest struct {
	Domains, EmailAddresses []string
	Bundle                  bool
	Profile, PreferredChain string
}

// RenewOptions are those of a renewal.
type RenewOptions struct {
	Bundle                  bool
	EmailAddresses          []string
	Profile, PreferredChain string
}

// Certifier refuses.
type Certifier struct{}

// Obtain refuses.
func (*Certifier) Obtain(ObtainRequest) (*Resource, error) { return nil, errors.ErrUnsupported }

// RenewWithOptions refuses.
func (*Certifier) RenewWithOptions(Resource, *RenewOptions) (*Resource, error) {
	return nil, errors.ErrUnsupported
}
