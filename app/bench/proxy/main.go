// Command proxy is what agentd is compared with: httputil.ReverseProxy and nothing else.
package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves on a free port, which it prints.
func run(upstream string) error {
	target, err := url.Parse(upstream)
	if err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	// The pool of connections that agentd has; the default of two for each host would be no fair comparison.
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("{\"msg\":\"listening\",\"addr\":%q}\n", listener.Addr())
	return http.Serve(listener, proxy)
}
