// Package netpol enforces the NetworkPolicies of the pods of one node, as rules of nftables in the node's network
// namespace.
package netpol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/knftables"
)

const (
	// settle is how long changes are gathered before the rules are made anew, and retry how long after a failure.
	settle = 100 * time.Millisecond
	retry  = time.Second
)

var errStarting = errors.New("the rules are not in force yet")

// Engine keeps the rules of one node in force.
type Engine struct {
	node       string
	nft        knftables.Interface
	log        *slog.Logger
	factory    informers.SharedInformerFactory
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	policies   networkinglisters.NetworkPolicyLister
	// changed holds one token while there are changes to look at.
	changed chan struct{}

	applied  *Ruleset
	problems string

	mu     sync.Mutex
	health error
}

// New returns an engine for the pods of a node. What nft does happens in the network namespace of this process.
func New(client kubernetes.Interface, node string, nft knftables.Interface, log *slog.Logger) (*Engine, error) {
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	e := &Engine{
		node: node, nft: nft, log: log, factory: factory, changed: make(chan struct{}, 1), health: errStarting,
		pods: pods.Lister(), namespaces: namespaces.Lister(), policies: policies.Lister(),
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { e.touch() }, UpdateFunc: func(any, any) { e.touch() }, DeleteFunc: func(any) { e.touch() },
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
	}
	return e, nil
}

// Run keeps the rules in force until the context ends. They stay when it ends, and until it has heard of all objects,
// those of an earlier run do.
func (e *Engine) Run(ctx context.Context) {
	e.factory.Start(ctx.Done())
	defer e.factory.Shutdown()
	e.factory.WaitForCacheSync(ctx.Done())
	if ctx.Err() != nil {
		return // with half of the objects known, the rules would be wrong
	}
	e.touch()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.changed:
		}
		err := e.sync(ctx)
		e.mu.Lock()
		e.health = err
		e.mu.Unlock()
		pause := settle
		if err != nil {
			e.log.Error("rules are not in force", "error", err)
			e.touch()
			pause = retry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (e *Engine) touch() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// sync makes the rules and, where they differ from those in force, puts them in force.
func (e *Engine) sync(ctx context.Context) error {
	began := time.Now()
	s := Snapshot{Node: e.node}
	var errs [3]error
	s.Pods, errs[0] = e.pods.List(labels.Everything())
	s.Namespaces, errs[1] = e.namespaces.List(labels.Everything())
	s.Policies, errs[2] = e.policies.List(labels.Everything())
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("list objects: %w", err)
	}
	rules, err := Compile(s)
	e.report(err)
	if e.applied != nil && reflect.DeepEqual(rules, *e.applied) {
		return nil
	}
	tx := e.nft.NewTransaction()
	rules.write(tx)
	if err := e.nft.Run(ctx, tx); err != nil {
		return fmt.Errorf("replace rules: %w", err)
	}
	e.applied = &rules
	e.log.Info("rules replaced", "operations", tx.NumOperations(), "isolations", len(rules.verdicts),
		"took", time.Since(began).Round(time.Millisecond))
	return nil
}

// report logs what cannot be expressed, once.
func (e *Engine) report(err error) {
	problems := ""
	if err != nil {
		problems = err.Error()
	}
	if problems != e.problems {
		for line := range strings.Lines(problems) {
			e.log.Error("its pods are isolated", "reason", strings.TrimSpace(line))
		}
	}
	e.problems = problems
}

// ServeHTTP answers 200 while the rules of the last known objects are in force.
func (e *Engine) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	err := e.health
	e.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// CheckKernel refuses a network namespace in which packets between two pods of a node pass by the rules.
func CheckKernel() error {
	for _, family := range []string{"iptables", "ip6tables"} {
		const folder = "/proc/sys/net/bridge/bridge-nf-call-"
		value, err := os.ReadFile(folder + family)
		if err != nil {
			return fmt.Errorf("find out whether bridges are filtered: %w", err)
		}
		if text := strings.TrimSpace(string(value)); text != "1" {
			return fmt.Errorf("net.bridge.bridge-nf-call-%s is %s: set it to 1 in this network namespace", family, text)
		}
	}
	return nil
}
