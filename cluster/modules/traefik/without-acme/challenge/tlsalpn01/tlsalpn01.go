// Package tlsalpn01 has the option and the name of a proof by TLS.
package tlsalpn01

import (
	"errors"
	"time"
)

// ACMETLS1Protocol is what a proof negotiates.
const ACMETLS1Protocol = "acme-tls/1"

// ChallengeOption does nothing.
type ChallengeOption func()

// SetDelay does nothing.
func SetDelay(time.Duration) ChallengeOption { return nil }

// ChallengeBlocks refuses.
func ChallengeBlocks(string, string) ([]byte, []byte, error) {
	return nil, nil, errors.ErrUnsupported
}
