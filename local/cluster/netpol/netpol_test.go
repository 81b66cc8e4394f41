package netpol

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/knftables"
	"sigs.k8s.io/yaml"

	"agentstack/local/apitest"
	engine "agentstack/local/netpol"
)

// startTimeout is how long the engine may take to hear of everything.
const startTimeout = 30 * time.Second

// TestRoleIsEnough runs an engine on a real API server, which refuses what the role does not allow.
func TestRoleIsEnough(t *testing.T) {
	server := apitest.Run(t, apitest.Options{})
	admin, err := kubernetes.NewForConfig(server.Config)
	require.NoError(t, err)
	var clusterRole rbacv1.ClusterRole
	var binding rbacv1.ClusterRoleBinding
	first, second, _ := strings.Cut(role, "---\n")
	require.NoError(t, yaml.UnmarshalStrict([]byte(first), &clusterRole))
	require.NoError(t, yaml.UnmarshalStrict([]byte(second), &binding))
	_, err = admin.RbacV1().ClusterRoles().Create(t.Context(), &clusterRole, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &binding, metav1.CreateOptions{})
	require.NoError(t, err)

	config := rest.CopyConfig(server.Config)
	config.Impersonate.UserName = "system:netpol"
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	nft := knftables.NewFake(knftables.InetFamily, engine.Table)
	e, err := engine.New(client, "node", nft, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	go e.Run(t.Context())
	require.Eventually(t, func() bool {
		answer := httptest.NewRecorder()
		e.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz", http.NoBody))
		return answer.Code == http.StatusOK
	}, startTimeout, startTimeout/100)

	_, err = client.NetworkingV1().NetworkPolicies("default").Create(t.Context(), &networkingv1.NetworkPolicy{},
		metav1.CreateOptions{})
	require.ErrorContains(t, err, "forbidden", "it is no administrator")
}
