// Package http01 has the option and the path of a proof by HTTP.
package http01

import "time"

// ChallengeOption does nothing.
type ChallengeOption func()

// SetDelay does nothing.
func SetDelay(time.Duration) ChallengeOption { return nil }

// ChallengePath returns where a token is asked for.
func ChallengePath(token string) string { return "/.well-known/acme-challenge/" + token }
