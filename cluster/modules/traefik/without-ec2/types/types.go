// Package types has what Traefik reads of a machine.
package types

// InstanceStateName says whether a machine runs.
type InstanceStateName string

// InstanceStateNameRunning is the state of one that does.
const InstanceStateNameRunning = InstanceStateName("running")

// Instance is a machine.
type Instance struct {
	InstanceId, PrivateIpAddress *string
	State                        *struct{ Name InstanceStateName }
}

// Reservation is some machines.
type Reservation struct{ Instances []Instance }
