//go:build tools

// Package network pins the version of Toxiproxy, which stands between two processes of a stack while the network is disturbed.
package network

import _ "github.com/Shopify/toxiproxy/v2/cmd/server"
