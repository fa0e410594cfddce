// Package dns01 has the options of a proof by DNS.
package dns01

import (
	"strings"
	"time"
)

// ChallengeOption does nothing.
type ChallengeOption func()

// AddRecursiveNameservers does nothing.
func AddRecursiveNameservers([]string) ChallengeOption { return nil }

// RecursiveNSsPropagationRequirement does nothing.
func RecursiveNSsPropagationRequirement() ChallengeOption { return nil }

// DisableAuthoritativeNssPropagationRequirement does nothing.
func DisableAuthoritativeNssPropagationRequirement() ChallengeOption { return nil }

// PropagationWait does nothing.
func PropagationWait(time.Duration, bool) ChallengeOption { return nil }

// UnFqdn returns a domain without the dot at its end.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }
