package acme_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gateways "sigs.k8s.io/gateway-api/apis/v1"
)

const (
	startTimeout = 2 * time.Minute // of one component; a cold two-core machine needs about 15 seconds
	stopTimeout  = 30 * time.Second
	// waitTimeout is for cert-manager. It looks five times itself whether the host answers, which takes eight seconds.
	waitTimeout = 2 * time.Minute
	// registered is what the program registers for the issuer letsencrypt; a test of the component keeps it true.
	registered = "../../components/apiservice/testdata/letsencrypt.yaml"
	// namespace and host are those of the objects in it.
	namespace = "ai-agent"
	host      = "api.example.com"
)

// cluster is an API server with the definitions of cert-manager and of the Gateway API, without controllers and nodes.
type cluster struct {
	client.Client
	// kubeconfig is a file with all rights.
	kubeconfig string
}

func startCluster(t *testing.T) cluster {
	t.Helper()
	environment := &envtest.Environment{
		CRDInstallOptions: envtest.CRDInstallOptions{MaxTime: startTimeout},
		CRDDirectoryPaths: []string{
			moduleFolder(t, "github.com/cert-manager/cert-manager", "deploy/crds"),
			moduleFolder(t, "sigs.k8s.io/gateway-api", "config/crd/standard"),
		},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  stopTimeout,
	}
	environment.ControlPlane.GetAPIServer().Path = tool(t, "kube-apiserver")
	environment.ControlPlane.Etcd = &envtest.Etcd{Path: tool(t, "etcd")}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop API server: %v", err)
		}
	})
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("start API server: %v", err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatalf("write kubeconfig: %v", err)
	}
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, gateways.Install, acmev1.AddToScheme, certmanager.AddToScheme,
	} {
		utilruntime.Must(add(types))
	}
	api, err := client.New(config, client.Options{Scheme: types})
	if err != nil {
		t.Fatalf("make client: %v", err)
	}
	return cluster{Client: api, kubeconfig: kubeconfig}
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(os.Getenv("AGENTSTACK_TOOLS"), name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("find %s in AGENTSTACK_TOOLS: %v; `make test-acme` puts it there", name, err)
	}
	return path
}

// moduleFolder returns a folder of a module in the Go module cache.
func moduleFolder(t *testing.T, module, folder string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("find module %s: %v", module, err)
	}
	return filepath.Join(strings.TrimSpace(string(output)), folder)
}

// register makes the objects that the program registers, with another authority, in another namespace and for another
// host.
func (c cluster) register(t *testing.T, ca authority, otherNamespace, otherHost string) {
	t.Helper()
	// The level that the program sets, too: the API server refuses pods that do not satisfy it.
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: otherNamespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := c.Create(t.Context(), space); err != nil {
		t.Fatalf("make namespace: %v", err)
	}
	golden, err := os.ReadFile(registered)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.NewReplacer("namespace: "+namespace, "namespace: "+otherNamespace, host, otherHost)
	documents := yaml.NewYAMLOrJSONDecoder(strings.NewReader(moved.Replace(string(golden))), 4096)
	for {
		var resource struct{ Inputs map[string]any }
		if err := documents.Decode(&resource); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("decode %s: %v", registered, err)
		}
		object := &unstructured.Unstructured{Object: resource.Inputs}
		if object.GetKind() == "Issuer" {
			acme := object.Object["spec"].(map[string]any)["acme"].(map[string]any)
			acme["server"], acme["caBundle"] = ca.directory, ca.caBundle
		}
		if err := c.Create(t.Context(), object, client.FieldValidation("Strict")); err != nil {
			t.Fatalf("make %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// wait polls until a condition holds, and describes what is there if it does not in time.
func (c cluster) wait(t *testing.T, what string, holds func() bool, show ...client.ObjectList) {
	t.Helper()
	for deadline := time.Now().Add(waitTimeout); !holds(); time.Sleep(500 * time.Millisecond) {
		if time.Now().Before(deadline) {
			continue
		}
		for _, list := range show {
			err := c.List(t.Context(), list)
			described, _ := json.Marshal(list)
			t.Logf("%s (%v)", described, err)
		}
		t.Fatalf("not within %s: %s", waitTimeout, what)
	}
}
