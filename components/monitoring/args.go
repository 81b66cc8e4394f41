package monitoring

import (
	"time"

	"github.com/prometheus/common/model"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
)

// Args configures the monitoring of one region.
type Args struct {
	// Namespace is where everything but the node agents runs. It may enforce the restricted Pod Security Standard.
	// Required.
	Namespace string
	// NodeNamespace is where the node agents run, which read the machine's files: it must allow host paths. Required.
	NodeNamespace string
	// AppNamespace is the namespace of the API, its database and its cache. Required.
	AppNamespace string
	// EdgeNamespace is where Envoy Gateway keeps the Envoys of the edge. Required.
	EdgeNamespace string
	// Region is the value of the region label on objects, time series, alerts and logs. Required.
	Region string
	// Environment is the value of the label env on alerts. Required.
	Environment string
	// AlertWebhook is the URL that alerts are posted to, a secret. Nil: alerts are shown and not sent.
	AlertWebhook pulumi.StringInput
	// LogStore is where logs are kept. Nil: on Loki's volume.
	LogStore *kube.ObjectStore

	Settings
}

// Settings is the part of Args that a stack's configuration gives. A zero field stands for its default.
type Settings struct {
	// Retention is how long metrics are kept, such as 15d or 12h. Default 15d. They go earlier when they fill four
	// fifths of their volume.
	Retention string `json:"retention"`
	// LogRetention is how long logs are kept, at least a day. Default 7d.
	LogRetention string `json:"logRetention"`
	// Storage describes the volumes.
	Storage Storage `json:"storage"`
	// Alertmanagers is how many run. They tell each other what they sent, so that each alert arrives once. Default 2.
	Alertmanagers int `json:"alertmanagers"`
	// Grafana shows the dashboards. Default: no Grafana.
	Grafana bool `json:"grafana"`
	// Resources of Prometheus. Default 100m and 256Mi, at most 2Gi.
	Resources kube.Resources `json:"resources"`
}

// Storage describes the volumes of Prometheus and Loki.
type Storage struct {
	// Class is a StorageClass. Default: the one that the Kubernetes cluster marks as default.
	Class string `json:"class"`
	// Size of the volume for metrics, a Kubernetes quantity. Default 10Gi.
	Size string `json:"size"`
	// LogSize is the size of Loki's volume, a Kubernetes quantity. Default 10Gi.
	LogSize string `json:"logSize"`
}

// maxAlertmanagers is as many as are of use: every one of them waits for those before it.
const maxAlertmanagers = 5

func (s Settings) withDefaults() Settings {
	if s.Retention == "" {
		s.Retention = "15d"
	}
	if s.LogRetention == "" {
		s.LogRetention = "7d"
	}
	if s.Storage.Size == "" {
		s.Storage.Size = "10Gi"
	}
	if s.Storage.LogSize == "" {
		s.Storage.LogSize = "10Gi"
	}
	if s.Alertmanagers == 0 {
		s.Alertmanagers = 2
	}
	s.Resources = s.Resources.Default(kube.Resources{
		Requests: kube.ResourceList{CPU: "100m", Memory: "256Mi"},
		Limits:   kube.ResourceList{Memory: "2Gi"},
	})
	return s
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	for _, namespace := range []struct{ field, value string }{
		{"namespace", a.Namespace}, {"nodeNamespace", a.NodeNamespace}, {"appNamespace", a.AppNamespace},
		{"edgeNamespace", a.EdgeNamespace},
	} {
		for _, detail := range validation.IsDNS1123Label(namespace.value) {
			problems = append(problems, field.Invalid(path.Child(namespace.field), namespace.value, detail))
		}
	}
	if a.NodeNamespace != "" && a.NodeNamespace == a.Namespace {
		problems = append(problems, field.Invalid(path.Child("nodeNamespace"), a.NodeNamespace,
			"must be another namespace: node agents need host paths, which nothing else may have"))
	}
	if a.Region == "" {
		problems = append(problems, field.Required(path.Child("region"), "give the name of the region"))
	}
	if a.Environment == "" {
		problems = append(problems, field.Required(path.Child("environment"), "give the name of the environment"))
	}
	if a.LogStore != nil {
		problems = append(problems, a.LogStore.Validate(path.Child("logStore"))...)
	}
	return append(problems, a.Settings.Validate(path)...)
}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (s Settings) Validate(path *field.Path) field.ErrorList {
	s = s.withDefaults()
	problems := atLeast(path.Child("retention"), s.Retention, time.Hour)
	// Loki deletes whole days: the index has one table a day.
	problems = append(problems, atLeast(path.Child("logRetention"), s.LogRetention, 24*time.Hour)...)
	problems = append(problems, kube.Quantity(path.Child("storage", "size"), s.Storage.Size)...)
	problems = append(problems, kube.Quantity(path.Child("storage", "logSize"), s.Storage.LogSize)...)
	if s.Alertmanagers < 1 || s.Alertmanagers > maxAlertmanagers {
		problems = append(problems, field.Invalid(path.Child("alertmanagers"), s.Alertmanagers,
			"must be at least 1 and at most 5"))
	}
	return append(problems, s.Resources.Validate(path.Child("resources"))...)
}

func atLeast(path *field.Path, value string, least time.Duration) field.ErrorList {
	duration, err := model.ParseDuration(value)
	if err != nil || time.Duration(duration) < least {
		return field.ErrorList{field.Invalid(path, value,
			"must be a duration of at least "+model.Duration(least).String()+", such as 36h, 15d or 4w")}
	}
	return nil
}
