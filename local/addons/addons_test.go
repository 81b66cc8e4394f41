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
	c := action.Context{Context: t.Context(), Binary: func(name string) (string, error) {
		return filepath.Join(os.Getenv(apitest.ToolsVariable), name), nil
	}}
	for name, manifest := range rendered(t, r) {
		require.NoError(t, apply(c, r, manifest), name)
	}
}

func TestMirrorHasTheImages(t *testing.T) {
	served := map[string]bool{}
	for _, image := range images.All() {
		for _, ref := range image.Refs {
			served[ref] = true
		}
	}
	line := regexp.MustCompile(`image: (\S+)`)
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

// decode gives the objects of a manifest that has one of each kind looked for.
func decode(t *testing.T, manifest string) map[string]*unstructured.Unstructured {
	t.Helper()
	objects := map[string]*unstructured.Unstructured{}
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), len(manifest))
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		objects[object.GetKind()] = object
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
