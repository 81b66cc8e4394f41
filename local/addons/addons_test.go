package addons

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"agentstack/local/apitest"
	"agentstack/local/cluster/action"
	"agentstack/local/cluster/pki"
	"agentstack/local/cluster/topology"
	"agentstack/local/images"
	"agentstack/local/toolchain"
)

func region(t *testing.T) topology.Region {
	t.Helper()
	i := topology.Instance{Name: "dev", Dir: t.TempDir(), Octet: 200, RegionNames: []string{"local-1"}}
	r := i.Regions()[0]
	require.NoError(t, pki.Execute(r))
	return r
}

// rendered gives every manifest of the folder by its name.
func rendered(t *testing.T, r topology.Region) map[string]string {
	t.Helper()
	files, err := manifests.ReadDir("manifests")
	require.NoError(t, err)
	all := map[string]string{}
	for _, file := range files {
		all[file.Name()], err = render(file.Name(), r)
		require.NoError(t, err)
	}
	return all
}

func TestAPIServerAcceptsManifests(t *testing.T) {
	r := region(t)
	r.DNS = "10.0.0.10" // in the range of the test's API server
	server := apitest.Run(t, apitest.Options{})
	require.NoError(t, os.WriteFile(pki.Kubeconfig(r, "admin"), server.Kubeconfig, 0o600))
	c := action.Context{
		Context: t.Context(), Say: t.Logf,
		Binary: func(name string) (string, error) {
			return filepath.Join(os.Getenv(apitest.ToolsVariable), name), nil
		},
	}
	for _, tool := range []string{"envoy-gateway", "vpa-recommender"} {
		require.NoError(t, define(c, r, definitions(t, tool)))
	}
	for name, manifest := range rendered(t, r) {
		require.NoError(t, apply(c, r, manifest), name)
	}
}

// definitions returns the folder of those of a tool's module, as the toolchain keeps them.
func definitions(t *testing.T, binary string) string {
	t.Helper()
	tool, err := toolchain.Find(binary)
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, toolchain.Builder{Source: ".."}.CopyAssets(t.Context(), tool, folder))
	return folder
}

func TestMirrorHasTheImages(t *testing.T) {
	served := map[string]bool{}
	for _, image := range images.All() {
		for _, ref := range image.Refs {
			served[ref] = true
		}
	}
	line := regexp.MustCompile(`image: "?([^\s"}]+)`)
	for name, manifest := range rendered(t, region(t)) {
		found := line.FindAllStringSubmatch(manifest, -1)
		require.NotEmpty(t, found, name)
		for _, image := range found {
			require.True(t, served[image[1]], "%s: no image is named %s", name, image[1])
		}
	}
}

// The API server believes the metrics API by its certificate alone.
func TestMetricsServerProvesItsName(t *testing.T) {
	objects := decode(t, rendered(t, region(t))["metrics-server.yaml"])
	api, secret := objects["APIService"], objects["Secret"]
	authority := x509.NewCertPool()
	require.True(t, authority.AppendCertsFromPEM(encoded(t, api, "spec", "caBundle")))
	service, _, err := unstructured.NestedStringMap(api.Object, "spec", "service")
	require.NoError(t, err)

	pair, err := tls.X509KeyPair(encoded(t, secret, "data", "tls.crt"), encoded(t, secret, "data", "tls.key"))
	require.NoError(t, err)
	_, err = pair.Leaf.Verify(x509.VerifyOptions{
		Roots: authority, DNSName: service["name"] + "." + service["namespace"] + ".svc",
	})
	require.NoError(t, err)
	require.Equal(t, service["name"], objects["Service"].GetName())
}

// Envoys and their controller believe each other by an authority that signs for nobody else.
func TestEnvoysAndTheirControllerShareAnAuthority(t *testing.T) {
	pools := map[string]*x509.CertPool{}
	leaves := map[string]*x509.Certificate{}
	all := decodeAll(t, rendered(t, region(t))["envoy-gateway.yaml"])
	for _, object := range all {
		if object.GetKind() != "Secret" || object.GetName() == "envoy-oidc-hmac" {
			continue
		}
		pair, err := tls.X509KeyPair(encoded(t, object, "data", "tls.crt"), encoded(t, object, "data", "tls.key"))
		require.NoError(t, err)
		leaves[object.GetName()] = pair.Leaf
		pools[object.GetName()] = x509.NewCertPool()
		require.True(t, pools[object.GetName()].AppendCertsFromPEM(encoded(t, object, "data", "ca.crt")))
	}
	_, err := leaves["envoy-gateway"].Verify(x509.VerifyOptions{Roots: pools["envoy"], DNSName: "envoy-gateway"})
	require.NoError(t, err)
	_, err = leaves["envoy"].Verify(x509.VerifyOptions{
		Roots: pools["envoy-gateway"], KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	require.NoError(t, err)
}

// What the controller is told lies in a ConfigMap, where no API server looks at it.
func TestEnvoyGatewayIsToldWhatItKnows(t *testing.T) {
	objects := decode(t, rendered(t, region(t))["envoy-gateway.yaml"])
	text, found, err := unstructured.NestedString(objects["ConfigMap"].Object, "data", "envoy-gateway.yaml")
	require.NoError(t, err)
	require.True(t, found)
	var config struct {
		APIVersion, Kind string
		Gateway          struct{ ControllerName string }
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &config))
	require.Equal(t, "gateway.envoyproxy.io/v1alpha1 EnvoyGateway", config.APIVersion+" "+config.Kind)
	class, _, err := unstructured.NestedString(objects["GatewayClass"].Object, "spec", "controllerName")
	require.NoError(t, err)
	require.Equal(t, config.Gateway.ControllerName, class)
}

// decode gives the objects of a manifest that has one of each kind looked for.
func decode(t *testing.T, manifest string) map[string]*unstructured.Unstructured {
	t.Helper()
	objects := map[string]*unstructured.Unstructured{}
	for _, object := range decodeAll(t, manifest) {
		objects[object.GetKind()] = object
	}
	return objects
}

func decodeAll(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), len(manifest))
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		objects = append(objects, object)
	}
}

func encoded(t *testing.T, object *unstructured.Unstructured, path ...string) []byte {
	t.Helper()
	text, found, err := unstructured.NestedString(object.Object, path...)
	require.NoError(t, err)
	require.True(t, found, path)
	content, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return content
}
