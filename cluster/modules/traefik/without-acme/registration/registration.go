// Package registration registers nobody.
package registration

import "errors"

// Resource is a registration.
type Resource struct {
	URI string
}

// RegisterOptions are those of a registration.
type RegisterOptions struct{ TermsOfServiceAgreed bool }

// RegisterEABOptions are those of a registration for somebody else's account.
type RegisterEABOptions struct {
	TermsOfServiceAgreed bool
	Kid, HmacEncoded     string
}

// Registrar refuses.
type Registrar struct{}

// Register refuses.
func (*Registrar) Register(RegisterOptions) (*Resource, error) { return nil, errors.ErrUnsupported }

// RegisterWithExternalAccountBinding refuses.
func (*Registrar) RegisterWithExternalAccountBinding(RegisterEABOptions) (*Resource, error) {
	return nil, errors.ErrUnsupported
}
