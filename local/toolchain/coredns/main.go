// Command coredns is CoreDNS with only the plugins that a cluster's DNS needs; the full set pulls in every cloud's SDK.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bufsize"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/template"
)

// Plugins run in this order for each query, which is upstream's order without the plugins left out.
func init() {
	dnsserver.Directives = []string{
		"reload", "bufsize", "health", "ready", "prometheus", "errors", "log",
		"cache", "loadbalance", "kubernetes", "template",
	}
}

func main() { coremain.Run() }
