// Command pulumi-resource-kubernetes is the resource plugin of the package "kubernetes" for machines that cannot
// download the official one. The Pulumi engine starts it with its own address as the last argument and reads the
// port to connect to from the first line of the output.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/logging"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"

	"agentstack/local/plugins/kubernetes/engine"
	"agentstack/local/plugins/kubernetes/object"
	"agentstack/local/plugins/kubernetes/provider"
)

func main() {
	// The engine passes its own logging flags; glog, which registers most of them, is part of its SDK.
	flag.String("tracing", "", "accepted and ignored: this plugin emits no traces")
	flag.Parse()
	logging.InitLogging(false, 0, false)
	if err := run(flag.Arg(flag.NArg() - 1)); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-kubernetes:", err)
		os.Exit(1)
	}
}

func run(engineAddress string) error {
	redactor := &object.Redactor{}
	var log *engine.Log
	if engineAddress != "" {
		var err error
		if log, err = engine.Connect(engineAddress, redactor.Redact); err != nil {
			return err
		}
	}
	cancel := make(chan bool)
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterResourceProviderServer(server, provider.New(log, redactor))
			return nil
		},
		Options: rpcutil.OpenTracingServerInterceptorOptions(nil),
	})
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	fmt.Println(handle.Port)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		close(cancel)
	}()
	if err := <-handle.Done; err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
