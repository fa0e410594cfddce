// Package ec2 knows no machine.
package ec2

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Client asks nobody.
type Client struct{}

// NewFromConfig returns one.
func NewFromConfig(aws.Config) *Client { return &Client{} }

// DescribeInstancesInput says which machines.
type DescribeInstancesInput struct{ InstanceIds []string }

// DescribeInstancesOutput is a page of them.
type DescribeInstancesOutput struct{ Reservations []types.Reservation }

// DescribeInstancesPaginator has no page.
type DescribeInstancesPaginator struct{}

// NewDescribeInstancesPaginator returns one.
func NewDescribeInstancesPaginator(*Client, *DescribeInstancesInput) *DescribeInstancesPaginator {
	return &DescribeInstancesPaginator{}
}

// HasMorePages says no.
func (*DescribeInstancesPaginator) HasMorePages() bool { return false }

// NextPage refuses.
func (*DescribeInstancesPaginator) NextPage(context.Context) (*DescribeInstancesOutput, error) {
	return nil, errors.ErrUnsupported
}
