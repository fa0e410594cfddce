// Package challenge says what proves a domain.
package challenge

// Provider proves a domain.
type Provider interface {
	Present(domain, token, keyAuth string) error
	CleanUp(domain, token, keyAuth string) error
}
