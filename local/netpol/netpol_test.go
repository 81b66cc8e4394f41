package netpol

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/knftables"
)

// soon is how long the engine may take on a busy machine.
const soon = 20 * time.Second

// table stands for nft, and counts what it is asked to do.
type table struct {
	knftables.Interface
	runs atomic.Int32
	// run is called in place of Interface.Run.
	run func(context.Context, *knftables.Transaction) error
}

func (n *table) Run(ctx context.Context, tx *knftables.Transaction) error {
	defer n.runs.Add(1)
	return n.run(ctx, tx)
}

// log is what an engine says.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// start runs an engine for node a until the test or stop ends it.
func start(t *testing.T, client *fake.Clientset, nft *table, log *log) (e *Engine, stop func()) {
	t.Helper()
	e, err := New(client, "a", nft, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		e.Run(ctx)
		close(ended)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return e, stop
}

func clientOf(s Snapshot) *fake.Clientset {
	var objects []runtime.Object
	for _, p := range s.Pods {
		objects = append(objects, p)
	}
	return fake.NewClientset(objects...)
}

func health(e *Engine) int {
	answer := httptest.NewRecorder()
	e.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz", http.NoBody))
	return answer.Code
}

func TestRulesFollowTheObjects(t *testing.T) {
	faked := knftables.NewFake(knftables.InetFamily, Table)
	nft := &table{Interface: faked, run: faked.Run}
	client := clientOf(shop())
	said := &log{}
	e, _ := start(t, client, nft, said)
	require.Eventually(t, func() bool { return health(e) == http.StatusOK }, soon, settle)
	require.EqualValues(t, 1, nft.runs.Load())
	isolated := func() int {
		faked.RLock()
		defer faked.RUnlock()
		return len(faked.Table.Maps["ingress"].Elements)
	}
	require.Zero(t, isolated())

	policies := client.NetworkingV1().NetworkPolicies("shop")
	_, err := policies.Create(t.Context(), newPolicy("shop", "podSelector: {}"), metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return isolated() == 2 }, soon, settle)

	late := newPod("shop", "late", "a", "10.0.1.4", 0)
	_, err = client.CoreV1().Pods("shop").Create(t.Context(), late, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return isolated() == 3 }, soon, settle)

	runs := nft.runs.Load()
	late.Annotations = map[string]string{"changed": "yes"}
	_, err = client.CoreV1().Pods("shop").Update(t.Context(), late, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, policies.Delete(t.Context(), "policy", metav1.DeleteOptions{}))
	require.Eventually(t, func() bool { return isolated() == 0 }, soon, settle)
	require.Equal(t, runs+1, nft.runs.Load(), "what changes no rule touches none")
}

func TestAFailureIsToldAndTriedAgain(t *testing.T) {
	faked := knftables.NewFake(knftables.InetFamily, Table)
	var broken atomic.Bool
	broken.Store(true)
	nft := &table{Interface: faked, run: func(ctx context.Context, tx *knftables.Transaction) error {
		if broken.Load() {
			return errors.New("no netlink")
		}
		return faked.Run(ctx, tx)
	}}
	said := &log{}
	e, _ := start(t, clientOf(shop()), nft, said)
	require.Equal(t, http.StatusServiceUnavailable, health(e))
	require.Eventually(t, func() bool { return said.count("no netlink") > 1 }, soon, settle)
	require.Equal(t, http.StatusServiceUnavailable, health(e))
	broken.Store(false)
	require.Eventually(t, func() bool { return health(e) == http.StatusOK }, soon, settle)
}

// An engine that is ended before it knows everything must leave the rules of an earlier one alone.
func TestHalfOfTheObjectsMakeNoRules(t *testing.T) {
	for range 8 {
		nft := &table{Interface: knftables.NewFake(knftables.InetFamily, Table)}
		nft.run = nft.Interface.Run
		client := clientOf(shop())
		asked := make(chan struct{})
		var once sync.Once
		client.PrependReactor("list", "networkpolicies", func(clienttesting.Action) (bool, runtime.Object, error) {
			once.Do(func() { close(asked) })
			return true, nil, errors.New("no answer")
		})
		e, stop := start(t, client, nft, &log{})
		<-asked
		require.Equal(t, http.StatusServiceUnavailable, health(e))
		stop()
		require.Zero(t, nft.runs.Load())
	}
}

func TestWhatCannotBeExpressedIsToldOnce(t *testing.T) {
	faked := knftables.NewFake(knftables.InetFamily, Table)
	nft := &table{Interface: faked, run: faked.Run}
	client, said := clientOf(shop()), &log{}
	start(t, client, nft, said)
	const spec = "podSelector: {}\ningress: [{ports: [{endPort: 8}]}]"
	policies := client.NetworkingV1().NetworkPolicies("shop")
	for _, name := range []string{"one", "two"} {
		p := newPolicy("shop", spec)
		p.Name = name
		_, err := policies.Create(t.Context(), p, metav1.CreateOptions{})
		require.NoError(t, err)
		require.Eventually(t, func() bool { return said.count("shop/"+name) > 0 }, soon, settle)
	}
	runs := nft.runs.Load()
	_, err := policies.Create(t.Context(), newPolicy("shop", "podSelector: {}"), metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return nft.runs.Load() > runs }, soon, settle)
	require.Equal(t, 1, said.count("shop/two"))
}

func TestRulesOutliveTheEngine(t *testing.T) {
	l := newLab(t)
	client := clientOf(Snapshot{Pods: l.pods()})
	nft := &table{Interface: l.nft["a"]}
	applied := make(chan time.Time, 8)
	nft.run = func(ctx context.Context, tx *knftables.Transaction) error {
		err := l.in("a", func() error { return nft.Interface.Run(ctx, tx) })
		applied <- time.Now()
		return err
	}
	said := &log{}
	_, stop := start(t, client, nft, said)
	<-applied
	const far, near = "10.199.12.2:80", "10.199.11.3:80"
	first, err := l.dial("tcp", "a2", far)
	require.NoError(t, err)
	second, err := l.dial("tcp", "a2", near)
	require.NoError(t, err)

	began := time.Now()
	deny := newPolicy("default", "podSelector: {}\npolicyTypes: [Ingress, Egress]")
	_, err = client.NetworkingV1().NetworkPolicies("default").Create(t.Context(), deny, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Logf("in force after %s", (<-applied).Sub(began))
	const both = "a2>b2:80, a2>a3:80"
	l.expect(false, both)
	require.NoError(t, answers(first), "established, across nodes")
	require.NoError(t, answers(second), "established, on one node")

	stop()
	l.expect(false, both)
	start(t, clientOf(Snapshot{Pods: l.pods()}), nft, said)
	<-applied
	l.expect(true, both)
}
