package monitoring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// valid returns arguments with nothing but what is required, and defaults.
func valid() Args {
	args := Args{
		Namespace: "monitoring", NodeNamespace: "monitoring-node", AppNamespace: "ai-agent",
		EdgeNamespace: "envoy-gateway-system", Region: "local-1", Environment: "local",
	}
	args.Settings = args.withDefaults()
	return args
}

const accountPath = "/var/run/secrets/kubernetes.io/serviceaccount"

func TestPrometheusTakesItsConfiguration(t *testing.T) {
	files, err := prometheusFiles(valid())
	if err != nil {
		t.Fatal(err)
	}
	account := write(t, map[string]string{"token": "t", "ca.crt": "c"})
	dir := write(t, files)
	config := strings.NewReplacer(accountPath, account, "/etc/prometheus", dir).Replace(files["prometheus.yml"])
	path := filepath.Join(write(t, map[string]string{"prometheus.yml": config}), "prometheus.yml")
	accepts(t, "promtool", "check", "config", path)
	bad := strings.Replace(config, "role: pod", "role: pods", 1)
	refuses(t, "promtool", "check", "config", filepath.Join(write(t, map[string]string{"p.yml": bad}), "p.yml"))
}

func TestAlertmanagerTakesItsConfiguration(t *testing.T) {
	for name, webhook := range map[string]pulumi.StringInput{"webhook": pulumi.String("u"), "no webhook": nil} {
		t.Run(name, func(t *testing.T) {
			args := valid()
			args.AlertWebhook = webhook
			config, err := alertmanagerConfig(args)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(write(t, map[string]string{"a.yml": config}), "a.yml")
			accepts(t, "amtool", "check-config", path)
			if got := strings.Contains(config, "url_file: "+webhookPath+"/"+webhookKey); got != (webhook != nil) {
				t.Errorf("posts to a webhook: %v\n%s", got, config)
			}
		})
	}
	bad := filepath.Join(write(t, map[string]string{"a.yml": "route: {receiver: nobody}"}), "a.yml")
	refuses(t, "amtool", "check-config", bad)
}

func TestLokiTakesItsConfiguration(t *testing.T) {
	t.Setenv("ACCESS_KEY_ID", "id")
	t.Setenv("SECRET_ACCESS_KEY", "key")
	for _, test := range []struct {
		name  string
		store *kube.ObjectStore
		want  []string
	}{
		{"volume", nil, []string{"object_store: filesystem"}},
		{"gateway", &kube.ObjectStore{
			Endpoint: "http://gateway:7070", Region: "us-east-1", Bucket: "logs", SecretName: pulumi.String("s"),
		}, []string{"endpoint: gateway:7070", "insecure: true", "secret_access_key: ${SECRET_ACCESS_KEY}"}},
		{"own identity on AWS", &kube.ObjectStore{Region: "eu-west-1", Bucket: "logs"},
			[]string{"endpoint: s3.eu-west-1.amazonaws.com", "insecure: false", "native_aws_auth_enabled: true"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := valid()
			args.LogStore = test.store
			config, err := lokiConfig(args)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(config, want) {
					t.Errorf("no %q in\n%s", want, config)
				}
			}
			path := filepath.Join(write(t, map[string]string{"loki.yaml": config}), "loki.yaml")
			accepts(t, "loki", "-verify-config", "-config.expand-env=true", "-config.file="+path)
		})
	}
	bad := filepath.Join(write(t, map[string]string{"l.yaml": "limits_config: {no_such_limit: 1}"}), "l.yaml")
	refuses(t, "loki", "-verify-config", "-config.file="+bad)
}

// TestNoBlindLabelMap keeps labels of pods, of which anybody may add any number, away from the series.
func TestNoBlindLabelMap(t *testing.T) {
	text, err := os.ReadFile("config/prometheus.yml.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	for _, forbidden := range []string{"labelmap", "role: service", "role: endpoints", "insecure_skip_verify"} {
		if strings.Contains(string(text), forbidden) {
			t.Errorf("the configuration has %s", forbidden)
		}
	}
}
