// Package log has nothing to say.
package log

// StdLogger is what Traefik brings.
type StdLogger interface{ Printf(format string, v ...any) }

// Logger is not used.
var Logger StdLogger
